import { messageOf } from "../../errors.ts";
import type { Log } from "../../log.ts";

/** A crash loses at most the usage of this time. */
const WRITE_MILLISECONDS = 60_000;

/** A record in memory, and its file. */
export interface Writable {
  /** Returns true if something has changed since the last call. */
  takeChanged(): boolean;
  write(): Promise<void>;
}

/** Writes a record at most once a minute, if it has changed, and never as part of an answer. */
export class MinuteWriter {
  readonly #record: Writable;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #failure: string | undefined;

  constructor(record: Writable, log: Log) {
    this.#record = record;
    this.#log = log;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#write(), WRITE_MILLISECONDS);
    this.#timer.unref();
  }

  /** Writes what is new, and stops. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#write();
  }

  /** Makes one write at a time. Never rejects. */
  #write(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#writeOnce());
    return this.#writing;
  }

  async #writeOnce(): Promise<void> {
    const isNew = this.#record.takeChanged();
    if (!isNew && this.#failure === undefined) return;
    try {
      await this.#record.write();
      this.#failure = undefined;
    } catch (error) {
      this.#report(messageOf(error));
    }
  }

  #report(failure: string): void {
    if (failure !== this.#failure) this.#log("error", failure);
    this.#failure = failure;
  }
}
