import { setTimeout as sleep } from "node:timers/promises";
import { writeObservations } from "../../keyring/observations.ts";
import type { ObservationRow } from "../../keyring/rows.ts";

/** Observations are written together, and no more often than this. */
const OBSERVE_MILLISECONDS = 250;
/** A stalled disk must not keep the sockets from listening. */
const FIRST_MILLISECONDS = 1_000;

/**
 * Writes the providers' observations for the operator. One write at a time: a stalled disk then blocks one
 * thread of the pool, and no call.
 */
export class ObservationRecorder {
  readonly #keyringPath: string;
  readonly #rows: () => readonly ObservationRow[];
  readonly #complain: (error: unknown) => void;
  readonly #closing = new AbortController();
  #pending = false;
  #hasWritten = false;
  #recording: Promise<void> | undefined;

  constructor(options: {
    readonly keyringPath: string;
    readonly rows: () => readonly ObservationRow[];
    /** Called after each write, without an error if it succeeded. */
    readonly complain: (error: unknown) => void;
  }) {
    this.#keyringPath = options.keyringPath;
    this.#rows = options.rows;
    this.#complain = options.complain;
  }

  /** Writes these rows at once, before any others. Returns true if that was done within a second. */
  async writeFirst(rows: readonly ObservationRow[]): Promise<boolean> {
    this.#hasWritten = true;
    const written = writeObservations(this.#keyringPath, rows).then(
      () => true,
      (error: unknown) => {
        this.#complain(error);
        return false;
      },
    );
    this.#recording = written.then(() => this.#record());
    return Promise.race([written, sleep(FIRST_MILLISECONDS, false, { ref: false })]);
  }

  /** Call this after a new observation: it is written soon, and retried until it is written. */
  changed(): void {
    this.#pending = true;
    this.#recording ??= this.#record();
  }

  /** Writes the remaining observations once, and nothing afterwards. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#recording;
  }

  async #record(): Promise<void> {
    const { signal } = this.#closing;
    while (this.#pending) {
      await sleep(OBSERVE_MILLISECONDS, undefined, { signal }).catch(() => undefined);
      this.#pending = false;
      const rows = this.#rows();
      // Before a first key is served there is nothing to write, and perhaps no folder yet.
      if (rows.length === 0 && !this.#hasWritten) continue;
      this.#hasWritten = true;
      try {
        await writeObservations(this.#keyringPath, rows);
        this.#complain(undefined);
      } catch (error) {
        this.#complain(error);
        this.#pending = !signal.aborted;
      }
    }
    this.#recording = undefined;
  }
}
