import { messageOf } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { KeyUsage } from "./key-usage.ts";
import { UsageFiles } from "./usage-files.ts";
import type { LastUsage } from "./usage-record.ts";
import type { TrackedUsage, UsageTracker } from "./usage-tracker.ts";

/** A crash loses at most the usage of this time. */
const WRITE_MILLISECONDS = 60_000;

export interface UsageKeeperOptions {
  readonly stateDir: string;
  /** The number of this process among those that serve the API on this node, from 0. */
  readonly slot?: number;
  readonly log: Log;
  /** The present time, in epoch milliseconds. */
  readonly now: number;
}

/** Keeps the usage of keys on disk: at most one write a minute, and never as part of an answer. */
export class UsageKeeper implements UsageTracker {
  readonly #usage: KeyUsage;
  readonly #files: UsageFiles;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #failure: string | undefined;

  constructor({ stateDir, slot = 0, log, now }: UsageKeeperOptions) {
    this.#files = new UsageFiles(stateDir, slot);
    this.#log = log;
    this.#usage = new KeyUsage(this.#files.own() ?? { since: now, last: new Map() });
  }

  /** Begins to write, once a minute if there is something new. */
  start(): this {
    this.#timer = setInterval(() => void this.#write(), WRITE_MILLISECONDS);
    this.#timer.unref();
    return this;
  }

  note(keyIds: Iterable<string>, usage: LastUsage): void {
    this.#usage.note(keyIds, usage);
  }

  of(keyId: string): TrackedUsage {
    const records = [this.#usage.record, ...this.#files.others()];
    const usages = records.flatMap(({ last }) => last.get(keyId) ?? []);
    const last = usages.toSorted((a, b) => b.at - a.at)[0];
    return { since: Math.max(...records.map(({ since }) => since)), ...(last !== undefined && { last }) };
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
    const isNew = this.#usage.takeChanged();
    if (!isNew && this.#failure === undefined) return;
    try {
      await this.#files.write(this.#usage.record);
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
