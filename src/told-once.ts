import type { Log, LogLevel } from "./log.ts";

/** How often the log repeats that a problem persists. */
const REPEAT_MILLISECONDS = 600_000;

/**
 * Logs a repeated problem once, then every ten minutes with a count, and once more when it is over. For a
 * loop that retries for ever.
 */
export class ToldOnce {
  readonly #log: Log;
  readonly #now: () => number;
  #told: { readonly message: string; readonly at: number } | undefined;
  #count = 0;
  #untold = 0;

  constructor(log: Log, now = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  meet(message: string, level: LogLevel = "warn"): void {
    const now = this.#now();
    this.#count += 1;
    if (this.#told?.message === message && now - this.#told.at < REPEAT_MILLISECONDS) {
      this.#untold += 1;
      return;
    }
    const more = this.#untold === 0 ? "" : `; ${this.#untold} more like the one before`;
    this.#log(level, message + more);
    this.#told = { message, at: now };
    this.#untold = 0;
  }

  /** Call this after each success. A single failure that passed by itself is not worth a second line. */
  end(success: string): void {
    if (this.#count > 1) this.#log("info", `${success} after ${this.#count} failures`);
    this.#told = undefined;
    this.#count = 0;
    this.#untold = 0;
  }
}
