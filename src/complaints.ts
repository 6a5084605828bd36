import { messageOf } from "./errors.ts";
import type { Log } from "./log.ts";

/** Logs repeated failures: each message about an object is logged once, until it changes or ends. */
export class Complaints {
  readonly #log: Log;
  readonly #last = new Map<string, string>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Handles the outcome of an attempt; without an error the problem is over. */
  note(level: "warn" | "error", about: string, error: unknown): void {
    if (error === undefined) {
      this.#last.delete(about);
      return;
    }
    const complaint = messageOf(error);
    if (this.#last.get(about) !== complaint) this.#log(level, complaint);
    this.#last.set(about, complaint);
  }
}
