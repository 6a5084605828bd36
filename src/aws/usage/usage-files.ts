import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { readRegularText } from "../../files/regular-file.ts";
import { parseUsage, type UsageRecord, usageText } from "./usage-record.ts";
import { writeRecord } from "./write-record.ts";

/** 100,000 keys take 13 MB. */
const MAX_BYTES = 64 * 1024 * 1024;

/** A file per process that serves the API: each writes its own. */
const NAME = /^key-usage-\d{1,2}\.json$/;
const nameOf = (slot: number): string => `key-usage-${slot}.json`;

/** The records of usage in the state folder. They are not part of the keyring, which the operator alone writes. */
export class UsageFiles {
  readonly #folder: string;
  readonly #own: string;
  /** The records of the other processes as they were last read, by file name. */
  readonly #others = new Map<string, { readonly stamp: string; readonly record: UsageRecord | undefined }>();

  /** `slot` is the number of this process among those that serve the API on this node, from 0. */
  constructor(folder: string, slot: number) {
    this.#folder = folder;
    this.#own = nameOf(slot);
  }

  /** Returns the record that this process left; undefined if there is none, or it is damaged. */
  own(): UsageRecord | undefined {
    return readUsage(join(this.#folder, this.#own));
  }

  /** Returns the records of the other processes. */
  others(): readonly UsageRecord[] {
    const names = readdirSync(this.#folder).filter((name) => NAME.test(name) && name !== this.#own);
    return names.flatMap((name) => this.#other(name) ?? []);
  }

  /** Writes the record of this process. Throws KeyringUnavailable if the disk refuses. */
  write(record: UsageRecord): Promise<void> {
    return writeRecord(join(this.#folder, this.#own), usageText(record));
  }

  #other(name: string): UsageRecord | undefined {
    const path = join(this.#folder, name);
    const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
    const stamp = stat === undefined ? "none" : `${stat.ino} ${stat.mtimeNs}`;
    const known = this.#others.get(name);
    if (known?.stamp === stamp) return known.record;
    const record = readUsage(path);
    this.#others.set(name, { stamp, record });
    return record;
  }
}

function readUsage(path: string): UsageRecord | undefined {
  try {
    return parseUsage(readRegularText(path, { maxBytes: MAX_BYTES }));
  } catch {
    // Recording begins again, and TrackingStartDate says so.
    return undefined;
  }
}
