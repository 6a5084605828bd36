import { randomBytes } from "node:crypto";
import { closeSync, existsSync, fdatasyncSync, fstatSync, openSync, statSync, writeSync } from "node:fs";
import { ClavigerError, messageOf } from "../../errors.ts";
import { FileTooLarge, readRegularText } from "../../files/regular-file.ts";
import { createFile, replaceFile } from "../../files/whole-file.ts";
import { fieldsOf, parsedJson } from "../../json.ts";
import { type NoteSigner, noteSigner } from "../notes/signed-note.ts";

const SEED_BYTES = 32;
const DAY_MILLISECONDS = 86_400_000;
const MOST_BYTES = 4096;
const MODE = 0o600;

/** The key that signs a log today and, until its end is in the log, the key of before. */
export interface SigningKeys {
  readonly today: NoteSigner;
  /** The key that the log does not yet say has ended. */
  readonly former?: NoteSigner;
}

interface Stored {
  /** Days since 1970 in UTC. */
  readonly day: number;
  readonly seed: string;
  readonly formerSeed?: string;
}

const dayOf = (now: number): number => Math.floor(now / DAY_MILLISECONDS);

/**
 * The key that signs a log, in its file. There is another key each day in UTC, and the former key is overwritten: who
 * breaks in later cannot sign what was signed before.
 */
export class SigningKeyFile {
  readonly #path: string;
  readonly #origin: string;
  /** The signers of the text that was read last: to make a signer takes as long as a signature. */
  #last: { readonly seeds: string; readonly keys: SigningKeys } | undefined;

  constructor(path: string, origin: string) {
    this.#path = path;
    this.#origin = origin;
  }

  /** True if there is a key. */
  get exists(): boolean {
    return existsSync(this.#path);
  }

  /** Makes the first key. */
  create(now: number): SigningKeys {
    createFile(this.#path, storedText({ day: dayOf(now), seed: newSeed() }), MODE);
    return this.of(now);
  }

  /**
   * Returns the keys of a time, in epoch milliseconds. On a new day it makes a key, and keeps the former until
   * `forgetFormer`. Throws AuditUnavailable if the file cannot be read. A clock that was set back changes nothing.
   */
  of(now: number): SigningKeys {
    const stored = this.#read();
    if (stored.formerSeed !== undefined || dayOf(now) <= stored.day) return this.#signers(stored);
    const next = { day: dayOf(now), seed: newSeed(), formerSeed: stored.seed };
    replaceFile(this.#path, storedText(next));
    return this.#signers(next);
  }

  /** Overwrites the former key: the log has a line and a checkpoint that end it. */
  forgetFormer(): void {
    const { formerSeed: _, ...rest } = this.#read();
    // The bytes of the former file are overwritten after another file has its name: a crash loses neither key.
    const former = openSync(this.#path, "r+");
    try {
      replaceFile(this.#path, storedText(rest));
      writeSync(former, Buffer.alloc(fstatSync(former).size), 0, undefined, 0);
      fdatasyncSync(former);
    } finally {
      closeSync(former);
    }
  }

  #signers({ seed, formerSeed }: Stored): SigningKeys {
    const seeds = `${seed} ${formerSeed}`;
    if (this.#last?.seeds === seeds) return this.#last.keys;
    const keys = {
      today: this.#signer(seed),
      ...(formerSeed !== undefined && { former: this.#signer(formerSeed) }),
    };
    this.#last = { seeds, keys };
    return keys;
  }

  #signer(seed: string): NoteSigner {
    const bytes = Buffer.from(seed, "base64");
    const signer = noteSigner(this.#origin, bytes);
    bytes.fill(0);
    return signer;
  }

  #read(): Stored {
    const stored = parse(this.#text());
    if (stored !== undefined) return stored;
    throw unusable(this.#path, "it holds no key");
  }

  #text(): string {
    try {
      if ((statSync(this.#path).mode & 0o077) !== 0) throw new Error("others may read it: chmod 600");
      return readRegularText(this.#path, { maxBytes: MOST_BYTES });
    } catch (error) {
      throw unusable(this.#path, error instanceof FileTooLarge ? "it is too long" : messageOf(error));
    }
  }
}

const newSeed = (): string => randomBytes(SEED_BYTES).toString("base64");
const storedText = (stored: Stored): string => `${JSON.stringify(stored)}\n`;

function parse(text: string): Stored | undefined {
  const { day, seed, formerSeed } = fieldsOf(parsedJson(text));
  if (typeof day !== "number" || !Number.isSafeInteger(day) || !isSeed(seed)) return undefined;
  if (formerSeed === undefined) return { day, seed };
  return isSeed(formerSeed) ? { day, seed, formerSeed } : undefined;
}

const isSeed = (value: unknown): value is string =>
  typeof value === "string" && Buffer.from(value, "base64").length === SEED_BYTES;

const unusable = (path: string, why: string): ClavigerError =>
  new ClavigerError(
    "AuditUnavailable",
    `the signing key of the audit log, ${path}, cannot be used: ${why}; if it is lost, remove the file, and the log says that its key was lost`,
  );
