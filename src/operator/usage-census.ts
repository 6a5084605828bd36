import { messageOf } from "../errors.ts";
import type { StoredObjects } from "./usage.ts";

/** What is known of how much is stored under each key_id. */
export type UsageCount =
  /** Nothing can be counted: this operator's configuration has no etcd. Where that is asked anew, nothing rests on it. */
  | { readonly kind: "impossible"; readonly askedAnew?: true }
  /** A count is needed, or under way. */
  | { readonly kind: "pending" }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "counted"; readonly stored: StoredObjects };

/** Why something is not done: a word for programs, a sentence for people. */
export interface Obstacle {
  readonly reason: string;
  readonly message: string;
}

/** Why nothing may be decided on a count; undefined where it may. */
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
/** A count is good for so many times as long as it took: a large etcd is not read all the time. */
const AGE_PER_DURATION = 10;
const RETRY_MILLISECONDS = 10_000;

interface Counted {
  /** Undefined where nothing can be counted. */
  readonly stored: StoredObjects | undefined;
  readonly goodUntil: number;
}

/** Counts what is stored under every key_id, in the background and only when asked to. */
export class UsageCensus {
  readonly #take: (signal: AbortSignal) => Promise<StoredObjects | undefined>;
  readonly #onChange: () => void;
  readonly #now: () => number;
  #running: AbortController | undefined;
  #counted: Counted | undefined;
  #failed: { readonly message: string; readonly at: number } | undefined;

  constructor(options: {
    /** Counts all objects there are; gives undefined where that cannot be done, rejects where it fails. */
    readonly take: (signal: AbortSignal) => Promise<StoredObjects | undefined>;
    /** Called when a count has ended, one way or another. */
    readonly onChange: () => void;
    /** A clock that never goes back, in milliseconds. */
    readonly now: () => number;
  }) {
    this.#take = options.take;
    this.#onChange = options.onChange;
    this.#now = options.now;
  }

  /** What a recent count came to. */
  get count(): UsageCount {
    if (this.#counted !== undefined && this.#now() < this.#counted.goodUntil) {
      const { stored } = this.#counted;
      return stored === undefined ? { kind: "impossible" } : { kind: "counted", stored };
    }
    if (this.#failed !== undefined) return { kind: "failed", message: this.#failed.message };
    // Said on as it was: a status must not change with each asking.
    const wasImpossible = this.#counted !== undefined && this.#counted.stored === undefined;
    return wasImpossible ? { kind: "impossible", askedAnew: true } : { kind: "pending" };
  }

  /** Begins a count, unless a good one is there or under way, or one has just failed. */
  begin(): void {
    const { count } = this;
    const isGood = count.kind === "counted" || (count.kind === "impossible" && !count.askedAnew);
    if (this.#running !== undefined || isGood) return;
    const began = this.#now();
    if (this.#failed !== undefined && began - this.#failed.at < RETRY_MILLISECONDS) return;
    const running = new AbortController();
    this.#running = running;
    this.#take(running.signal)
      .then(
        (stored) => {
          const age = Math.max(LEAST_AGE, AGE_PER_DURATION * (this.#now() - began));
          // That there is no etcd is no count either: it is asked again with each decision.
          this.#counted = { stored, goodUntil: began + age };
          this.#failed = undefined;
        },
        (error: unknown) => {
          this.#failed = { message: messageOf(error), at: this.#now() };
        },
      )
      .finally(() => {
        this.#running = undefined;
        if (!running.signal.aborted) this.#onChange();
      });
  }

  close(): void {
    this.#running?.abort();
  }
}
