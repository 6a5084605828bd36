import { putNewest } from "./put-newest.ts";

export interface Rate {
  /** How many events may happen at once after a quiet time. */
  readonly burst: number;
  /** The time after which a token comes back. */
  readonly intervalMilliseconds: number;
}

/**
 * Beyond this many keys, the least recently used keys are forgotten, and each of them then has its whole
 * burst again.
 */
const MOST_KEYS = 10_000;

/** A token bucket for each key. Times are milliseconds of a clock that never goes back. */
export class RateLimiter {
  readonly #rate: Rate;
  /** The time at which each key's bucket is full again. A missing key has a full bucket. */
  readonly #fullAt = new Map<string, number>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** Takes a token and returns true, if the key has a token. */
  take(key: string, now: number): boolean {
    if (this.waitFor(key, now) > 0) return false;
    this.spend(key, now);
    return true;
  }

  /**
   * Takes a token for an event that has already happened. Returns in how many milliseconds the key has
   * another token.
   */
  spend(key: string, now: number): number {
    const fullAt = Math.max(this.#fullAt.get(key) ?? 0, now) + this.#rate.intervalMilliseconds;
    putNewest(this.#fullAt, key, fullAt, MOST_KEYS);
    return this.waitFor(key, now);
  }

  /** Returns in how many milliseconds the key has a token. */
  waitFor(key: string, now: number): number {
    const { burst, intervalMilliseconds } = this.#rate;
    const fullAt = this.#fullAt.get(key) ?? now;
    return Math.max(0, fullAt - now - (burst - 1) * intervalMilliseconds);
  }
}
