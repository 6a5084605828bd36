import type { Log } from "../log.ts";
import { RateLimiter } from "../rate-limiter.ts";

/** How often the log repeats that an item still fails in the same way. */
const REPEAT_MILLISECONDS = 600_000;
/** Lines about failures that one namespace's items may write to the log: a hundred at once, then one a second. */
const LOG_RATE = { burst: 100, intervalMilliseconds: 1_000 };

/** The last line that was logged about an item, and how often the same failure came again since. */
export interface Told {
  readonly message: string;
  readonly at: number;
  again: number;
}

/** Logs each failure of an item once, with how often it came again, and bounds the lines of one namespace. */
export class FailureLog {
  readonly #log: Log;
  readonly #lines = new RateLimiter(LOG_RATE);
  /** Lines of each namespace that were left out of the log since its last line. */
  readonly #leftOut = new Map<string, number>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Returns the record of the item's last line. `now` is by performance.now(). */
  tell(
    item: { readonly key: string; readonly namespace: string },
    message: string,
    told: Told | undefined,
    now: number,
  ): Told | undefined {
    if (told?.message === message && now - told.at < REPEAT_MILLISECONDS) {
      told.again += 1;
      return told;
    }
    const before = this.#leftOut.get(item.namespace) ?? 0;
    if (!this.#lines.take(item.namespace, now)) {
      this.#leftOut.set(item.namespace, before + 1);
      return told;
    }
    this.#leftOut.delete(item.namespace);
    const again =
      told === undefined || told.again === 0 ? "" : `; ${told.again} more failures like the one before`;
    const more = before === 0 ? "" : `; ${before} failures in this namespace before it were not logged`;
    this.#log("warn", `${item.key} failed and is tried again: ${message}${again}${more}`);
    return { message, at: now, again: 0 };
  }
}
