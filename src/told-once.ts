import type { Log, LogLevel } from "./log.ts";
import { putNewest } from "./put-newest.ts";

/** How often the log repeats that a problem persists. */
const REPEAT_MILLISECONDS = 600_000;

/** Problems that come by turns are each logged once; more of them than this are not remembered. */
const MOST_MESSAGES = 20;

interface Told {
  readonly at: number;
  again: number;
}

/**
 * Logs a repeated problem once, then every ten minutes with a count, and once more when it is over. For a
 * loop that retries for ever.
 */
export class ToldOnce {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #told = new Map<string, Told>();
  #count = 0;

  constructor(log: Log, now = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  meet(message: string, level: LogLevel = "warn"): void {
    const now = this.#now();
    this.#count += 1;
    const told = this.#told.get(message);
    if (told !== undefined && now - told.at < REPEAT_MILLISECONDS) {
      told.again += 1;
      return;
    }
    const more = told === undefined || told.again === 0 ? "" : `; ${told.again} more like the one before`;
    this.#log(level, message + more);
    putNewest(this.#told, message, { at: now, again: 0 }, MOST_MESSAGES);
  }

  /** Call this after each success. A single failure that passed by itself is not worth a second line. */
  end(success: string): void {
    if (this.#count > 1) this.#log("info", `${success} after ${this.#count} failures`);
    this.#told.clear();
    this.#count = 0;
  }
}
