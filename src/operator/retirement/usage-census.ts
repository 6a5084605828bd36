import { messageOf } from "../../errors.ts";
import { retryAfterOf } from "../../kube/unanswered.ts";
import type { StoredObjects } from "./usage.ts";

/** The state of the count of objects stored under each key_id. */
export type UsageCount =
  /**
   * Counting is impossible: this operator's configuration has no etcd. With `askedAnew` the question is
   * repeated, so nothing depends on the answer.
   */
  | { readonly kind: "impossible"; readonly askedAnew?: true }
  /** A count is needed, or in progress. */
  | { readonly kind: "pending" }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "counted"; readonly stored: StoredObjects };

/** The reason why something is not done: a word for programs, a sentence for people. */
export interface Obstacle {
  readonly reason: string;
  readonly message: string;
}

/** Returns why nothing may be decided on a count, or undefined if it may. */
export function uncounted(count: UsageCount): Obstacle | undefined {
  const reason = "NotCounted";
  switch (count.kind) {
    case "counted":
      return undefined;
    case "impossible":
      return {
        reason,
        message:
          "the leading operator's configuration has no etcd in which to count what is stored under the key",
      };
    case "pending":
      return { reason: "Counting", message: "what is stored under the key is being counted in etcd" };
    case "failed":
      return {
        reason,
        message: `what is stored under the key cannot be counted: ${count.message}; tried again`,
      };
  }
}

/** The least age, in milliseconds, at which a count is too old. */
const LEAST_AGE = 15_000;
/**
 * A count may be used for this many times its own duration, so that a large etcd is not read all the time.
 */
const AGE_PER_DURATION = 10;
const RETRY_MILLISECONDS = 10_000;

/** A finished count, with times by a clock that never goes back. */
export interface Counted {
  readonly began: number;
  /** Undefined if counting is impossible. */
  readonly stored: StoredObjects | undefined;
  readonly goodUntil: number;
}

export const goodUntil = (began: number, ended: number): number =>
  began + Math.max(LEAST_AGE, AGE_PER_DURATION * (ended - began));

/**
 * Returns the count if it may be combined with facts that hold since `since`, or undefined if it must be
 * taken again.
 */
export function usableCount(
  counted: Counted | undefined,
  since: number,
  now: number,
): UsageCount | undefined {
  if (counted === undefined || now >= counted.goodUntil) return undefined;
  if (counted.stored === undefined) return { kind: "impossible" };
  return counted.began >= since ? { kind: "counted", stored: counted.stored } : undefined;
}

interface Running {
  readonly controller: AbortController;
  readonly began: number;
}

/** Counts the objects stored under every key_id, in the background and only on request. */
export class UsageCensus {
  /** Returns milliseconds of a clock that never goes back. */
  readonly now: () => number;
  readonly #take: (signal: AbortSignal) => Promise<StoredObjects | undefined>;
  readonly #onChange: () => void;
  #running: Running | undefined;
  #counted: Counted | undefined;
  #failed: { readonly message: string; readonly retryAt: number } | undefined;

  constructor(options: {
    /** Counts all objects. Returns undefined if that is impossible, and rejects if it fails. */
    readonly take: (signal: AbortSignal) => Promise<StoredObjects | undefined>;
    /** Called when a count has ended, successfully or not. */
    readonly onChange: () => void;
    /** Returns milliseconds of a clock that never goes back. */
    readonly now: () => number;
  }) {
    this.#take = options.take;
    this.#onChange = options.onChange;
    this.now = options.now;
  }

  /**
   * Returns the result of a recent count that began at `since` or later, by the clock of `now`. A count says
   * nothing about writes after it began, so it must be younger than all facts that it is combined with.
   */
  countSince(since: number): UsageCount {
    const counted = this.#counted;
    const count = usableCount(counted, since, this.now());
    if (count !== undefined) return count;
    if (this.#failed !== undefined) return { kind: "failed", message: this.#failed.message };
    // Reported unchanged, because a status must not change each time it is computed.
    const wasImpossible = counted !== undefined && counted.stored === undefined;
    return wasImpossible ? { kind: "impossible", askedAnew: true } : { kind: "pending" };
  }

  /**
   * Begins a count, unless a count that began at `since` or later exists or is running, or a count has just
   * failed.
   */
  begin(since: number): void {
    const count = this.countSince(since);
    const isGood = count.kind === "counted" || (count.kind === "impossible" && !count.askedAnew);
    const began = this.now();
    if (isGood || began < since) return;
    if (this.#running !== undefined && this.#running.began >= since) return;
    if (this.#failed !== undefined && began < this.#failed.retryAt) return;
    this.#running?.controller.abort();
    this.#begin({ controller: new AbortController(), began });
  }

  #begin(running: Running): void {
    const { controller, began } = running;
    this.#running = running;
    this.#take(controller.signal)
      .then(
        (stored) => {
          if (controller.signal.aborted) return;
          // The lack of an etcd is not a count, so it is checked again with each decision.
          this.#counted = { stored, began, goodUntil: goodUntil(began, this.now()) };
          this.#failed = undefined;
        },
        (error: unknown) => {
          if (controller.signal.aborted) return;
          const pause = Math.max(RETRY_MILLISECONDS, retryAfterOf(error) ?? 0);
          this.#failed = { message: messageOf(error), retryAt: this.now() + pause };
        },
      )
      .finally(() => {
        if (this.#running === running) this.#running = undefined;
        if (!controller.signal.aborted) this.#onChange();
      });
  }

  /** Drops earlier counts, because another operator led meanwhile, or etcd was restored. */
  forget(): void {
    this.close();
    this.#running = undefined;
    this.#counted = undefined;
    this.#failed = undefined;
  }

  close(): void {
    this.#running?.controller.abort();
  }
}
