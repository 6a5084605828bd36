import { grantUsagePath, grantUsageText, readGrantUsage } from "../../keyring/usage/grant-usage.ts";
import type { Log } from "../../log.ts";
import { GrantUsage } from "./grant-usage.ts";
import { KeyUsage } from "./key-usage.ts";
import { MinuteWriter } from "./minute-writer.ts";
import { UsageFiles } from "./usage-files.ts";
import type { LastUsage } from "./usage-record.ts";
import type { TrackedUsage, UsageTracker } from "./usage-tracker.ts";
import { writeRecord } from "./write-record.ts";

export interface UsageKeeperOptions {
  readonly stateDir: string;
  /** The number of this process among those that serve the API on this node, from 0. */
  readonly slot?: number;
  readonly log: Log;
  /** The present time, in epoch milliseconds. */
  readonly now: number;
  /** Returns false for a grant that has ended, whose uses need not be kept. */
  readonly isGood?: (grantId: string) => boolean;
}

/** Keeps the usage of keys and of grants on disk: at most one write a minute each, and never as part of an answer. */
export class UsageKeeper implements UsageTracker {
  readonly #usage: KeyUsage;
  readonly #grants: GrantUsage;
  readonly #files: UsageFiles;
  readonly #writers: readonly MinuteWriter[];

  constructor({ stateDir, slot = 0, log, now, isGood = () => true }: UsageKeeperOptions) {
    const files = new UsageFiles(stateDir, slot);
    const usage = new KeyUsage(files.own() ?? { since: now, last: new Map() });
    const path = grantUsagePath(stateDir, slot);
    const grants = new GrantUsage(readGrantUsage(path));
    const keyRecord = { takeChanged: () => usage.takeChanged(), write: () => files.write(usage.record) };
    const grantRecord = {
      takeChanged: () => grants.takeChanged(),
      write: () => {
        grants.forget(isGood, Date.now());
        return writeRecord(path, grantUsageText(grants.uses));
      },
    };
    this.#files = files;
    this.#usage = usage;
    this.#grants = grants;
    this.#writers = [keyRecord, grantRecord].map((record) => new MinuteWriter(record, log));
  }

  /** Begins to write, once a minute if there is something new. */
  start(): this {
    for (const writer of this.#writers) writer.start();
    return this;
  }

  note(keyIds: Iterable<string>, usage: LastUsage): void {
    this.#usage.note(keyIds, usage);
  }

  noteGrants(grantIds: Iterable<string>, at: number): void {
    this.#grants.note(grantIds, at);
  }

  of(keyId: string): TrackedUsage {
    const records = [this.#usage.record, ...this.#files.others()];
    const usages = records.flatMap(({ last }) => last.get(keyId) ?? []);
    const last = usages.toSorted((a, b) => b.at - a.at)[0];
    return { since: Math.max(...records.map(({ since }) => since)), ...(last !== undefined && { last }) };
  }

  /** Writes what is new, and stops. */
  async close(): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.close()));
  }
}
