import { setTimeout as sleep } from "node:timers/promises";
import { ClavigerError, messageOf } from "../../errors.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { retryMilliseconds } from "../../kube/refusal.ts";
import { nextParallelism } from "./parallelism.ts";

export interface CallLimits {
  /** The most calls at once. */
  readonly maxParallelism: number;
  /** How long a call is retried while the API server is busy or away. */
  readonly patienceMilliseconds: number;
}

export interface LimitedCall {
  readonly signal: AbortSignal;
  /** Returns true for errors that the caller handles, because a retry would not help. */
  readonly isAnswer?: (error: unknown) => boolean;
}

const FIRST_PARALLELISM = 8;
const MIN_DELAY_MILLISECONDS = 100;
const MAX_DELAY_MILLISECONDS = 10_000;
/** An API server that has just started has not loaded its users' rights yet, and forbids what they may do. */
const START_MILLISECONDS = 30_000;
/** For failures that may not pass, such as a webhook that is down. */
const TRIES_OF_A_FAILURE = 3;

/**
 * No call reaches the API server any more. The work done so far is kept, and the rest waits for another run.
 */
export class ServerAway extends ClavigerError {}

/**
 * Makes as many calls to an API server at once as the API server can bear: fewer if it answers 429 or 5xx or
 * not at all, none for as long as its Retry-After says, one more at a time while all goes well.
 */
export class CallLimiter {
  readonly #limits: CallLimits;
  #parallelism: number;
  #active = 0;
  #succeeded = 0;
  /** Incremented with each halving, so that calls that began before it do not halve again. */
  #round = 0;
  #pausedUntil = 0;
  #lastSuccess = Number.NEGATIVE_INFINITY;
  #lastAway = Number.NEGATIVE_INFINITY;
  #waiting: (() => void)[] = [];

  constructor(limits: CallLimits) {
    this.#limits = limits;
    this.#parallelism = Math.max(1, Math.min(FIRST_PARALLELISM, limits.maxParallelism));
  }

  /**
   * Makes a call, and retries it if necessary, so it must be safe to repeat. Throws the error of the call,
   * ServerAway, or the signal's reason.
   */
  async run<T>(call: () => Promise<T>, { signal, isAnswer = () => false }: LimitedCall): Promise<T> {
    const begun = performance.now();
    for (let tries = 1; ; tries += 1) {
      const round = await this.#enter(signal);
      try {
        const result = await call();
        this.#leave(round, "well");
        return result;
      } catch (error) {
        const pushBack = signal.aborted || isAnswer(error) ? undefined : this.#pushBack(error);
        this.#leave(round, pushBack === undefined ? "answered" : "pushed back");
        signal.throwIfAborted();
        if (pushBack === undefined || this.#isFinal(pushBack, tries)) throw error;
        this.#refuseToWaitForEver(begun, error);
        await this.#pause(pushBack, tries, signal);
      }
    }
  }

  #pushBack(error: unknown): PushBack | undefined {
    const now = performance.now();
    if (error instanceof ClavigerError && !(error instanceof KubeError)) this.#lastAway = now;
    const starting = now - this.#lastAway < START_MILLISECONDS;
    const forbidden = error instanceof KubeError && error.httpStatus === 403;
    return starting && forbidden ? { mayPass: true } : pushBackOf(error);
  }

  #isFinal({ mayPass }: PushBack, tries: number): boolean {
    return !mayPass && tries >= TRIES_OF_A_FAILURE;
  }

  #refuseToWaitForEver(begun: number, error: unknown): void {
    const { patienceMilliseconds } = this.#limits;
    if (performance.now() - begun < patienceMilliseconds) return;
    // Other calls succeeded since: the problem is this call.
    if (this.#lastSuccess > begun) throw error;
    throw new ServerAway(
      "ApiServer",
      `the API server has done nothing for ${Math.round(patienceMilliseconds / 1000)} s (${messageOf(error)}); what is left is rewritten later`,
      { cause: error },
    );
  }

  async #enter(signal: AbortSignal): Promise<number> {
    for (;;) {
      signal.throwIfAborted();
      const pause = this.#pausedUntil - performance.now();
      if (pause > 0) await sleep(pause, undefined, { signal });
      else if (this.#active < this.#parallelism) break;
      else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#active += 1;
    return this.#round;
  }

  #leave(round: number, how: "well" | "answered" | "pushed back"): void {
    this.#active -= 1;
    const pushedBack = how === "pushed back";
    if (how === "well") this.#lastSuccess = performance.now();
    if (!pushedBack) this.#succeeded += 1;
    if (round === this.#round) this.#adapt(pushedBack);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  #adapt(pushedBack: boolean): void {
    const next = nextParallelism({
      parallelism: this.#parallelism,
      succeeded: this.#succeeded,
      pushedBack,
      max: this.#limits.maxParallelism,
    });
    if (pushedBack) this.#round += 1;
    if (next !== this.#parallelism || pushedBack) this.#succeeded = 0;
    this.#parallelism = next;
  }

  /** A Retry-After holds back all calls. Without it only this call waits, longer each time, with jitter. */
  async #pause(pushBack: PushBack, tries: number, signal: AbortSignal): Promise<void> {
    const asked = retryMilliseconds(pushBack);
    if (asked !== undefined) {
      this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + asked);
      return;
    }
    const delay = Math.min(MIN_DELAY_MILLISECONDS * 2 ** (tries - 1), MAX_DELAY_MILLISECONDS);
    await sleep(delay * (0.5 + Math.random()), undefined, { signal });
  }
}

/** A reason to retry a call, and to make fewer calls at once. */
export interface PushBack {
  /** True if it can be expected to pass by itself. */
  readonly mayPass: boolean;
  readonly retryAfterSeconds?: number;
}

/**
 * Returns what an error says about the server's load or health, or undefined if it answers the call itself.
 */
export function pushBackOf(error: unknown): PushBack | undefined {
  if (!(error instanceof ClavigerError)) return undefined;
  // No HTTP answer: refused, reset, or timed out.
  if (!(error instanceof KubeError)) return { mayPass: true };
  const { httpStatus, refusal } = error;
  if (httpStatus !== 429 && httpStatus < 500) return undefined;
  const { retryAfterSeconds } = refusal;
  return {
    mayPass: [429, 502, 503, 504].includes(httpStatus),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  };
}
