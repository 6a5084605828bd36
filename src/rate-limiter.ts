export interface Rate {
  /** How many may happen at once after a quiet time. */
  readonly burst: number;
  /** How long one takes to come back. */
  readonly intervalMilliseconds: number;
}

/** More keys than this are forgotten, those first that were used least recently: each then has its whole burst again. */
const MOST_KEYS = 10_000;

/** A token bucket for each key. Times are milliseconds of a clock that never goes back. */
export class RateLimiter {
  readonly #rate: Rate;
  /** When the bucket of each key will be full again; a key that is missing has a full one. */
  readonly #fullAt = new Map<string, number>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** Takes one token, if the key has one. */
  take(key: string, now: number): boolean {
    if (this.waitFor(key, now) > 0) return false;
    this.spend(key, now);
    return true;
  }

  /** Takes one token for what has happened already. Returns in how many milliseconds the key has another one. */
  spend(key: string, now: number): number {
    const fullAt = Math.max(this.#fullAt.get(key) ?? 0, now) + this.#rate.intervalMilliseconds;
    this.#fullAt.delete(key);
    this.#fullAt.set(key, fullAt);
    const [oldest] = this.#fullAt.keys();
    if (oldest !== undefined && this.#fullAt.size > MOST_KEYS) this.#fullAt.delete(oldest);
    return this.waitFor(key, now);
  }

  /** Returns in how many milliseconds the key has a token. */
  waitFor(key: string, now: number): number {
    const { burst, intervalMilliseconds } = this.#rate;
    const fullAt = this.#fullAt.get(key) ?? now;
    return Math.max(0, fullAt - now - (burst - 1) * intervalMilliseconds);
  }
}
