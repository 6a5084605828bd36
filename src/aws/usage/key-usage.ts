import type { LastUsage, UsageRecord } from "./usage-record.ts";

/** The usage of keys, in memory: a call costs one entry of a map. */
export class KeyUsage {
  readonly #since: number;
  readonly #last: Map<string, LastUsage>;
  #changed = false;

  /** Begins with what the process knew when it ended. */
  constructor({ since, last }: UsageRecord) {
    this.#since = since;
    this.#last = new Map(last);
  }

  /** Notes a successful operation. */
  note(keyIds: Iterable<string>, usage: LastUsage): void {
    for (const keyId of keyIds) this.#last.set(keyId, usage);
    this.#changed = true;
  }

  get record(): UsageRecord {
    return { since: this.#since, last: this.#last };
  }

  /** Returns true if something was noted since the last call. */
  takeChanged(): boolean {
    const changed = this.#changed;
    this.#changed = false;
    return changed;
  }
}
