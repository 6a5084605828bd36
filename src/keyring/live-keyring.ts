import { dirname } from "node:path";
import type { Secret } from "../crypto/secret.ts";
import { ClavigerError, codeOf, messageOf } from "../errors.ts";
import { flawOfFolder } from "../files/private-path.ts";
import { nameText } from "../names.ts";
import type { SealSource } from "../seal/seal-source.ts";
import { inodeOf } from "./inode.ts";
import { KeyringReader, type KeyringSnapshot, type StoredVersion } from "./reader.ts";
import type { AliasRow, KeyRow, TombstoneRow, UnreadableRow, VersionRow } from "./rows.ts";
import { refuseReplaceable } from "./state-folder.ts";
import { type ServedImport, servedImportText } from "./tables/served-imports.ts";
import { expiryTime } from "./tables/waiting-periods.ts";

/** The time between two looks at the file. A commit by the operator must be seen within a second. */
const POLL_MILLISECONDS = 200;
/** The operator repeats every minute that this node's clock may be wrong. */
const DOUBT_MILLISECONDS = 180_000;
/** Rows per turn of the event loop while the rest of the keyring is read in: about a millisecond. */
const LOAD_CHUNK = 100;
/** Reads of keyring and root key that may lead to nothing between two looks at the file: callers cause them. */
const MAX_MISSES = 20;
const EMPTY: KeyringSnapshot = { keys: new Map(), aliases: new Map(), unreadable: [] };

/**
 * The keyring as the doors use it: in memory, following the file.
 *
 * At its first look it reads the small tables only, so that ten thousand versions do
 * not delay the first answers; from the second look on, versions are read in, still sealed, in
 * the background. Material is opened when first used and kept. When the file becomes
 * unreadable, what is in memory goes on serving and `problem` says so. What was
 * destroyed is wiped from memory, and not served from an older file either.
 */
export class LiveKeyring {
  readonly path: string;
  readonly #seals: SealSource;
  readonly #versions = new Map<string, VersionRow>();
  readonly #unreadable = new Map<string, ClavigerError>();
  readonly #destroyed = new Map<string, TombstoneRow>();
  readonly #materials = new Map<string, Secret>();
  readonly #opening = new Map<string, Promise<Secret>>();
  /** Why a version did not open, since the last look at the file. */
  readonly #refused = new Map<string, unknown>();
  readonly #listeners = new Set<() => void>();
  #reader: KeyringReader | undefined;
  #snapshot = EMPTY;
  #loadedSeq = 0;
  #tombstoneSeq = 0;
  #problem: ClavigerError | undefined;
  #timer: NodeJS.Timeout | undefined;
  #loading = false;
  /** True until the first look at the file is over: no caller was answered before. */
  #isFirstLook = true;
  /** Whether every version that was committed at the last look is in memory. */
  #complete = false;
  #misses = 0;
  /** When the operator last wrote of time, by a clock that never steps. */
  #timeHeardAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(path: string, seals: SealSource) {
    this.path = path;
    this.#seals = seals;
  }

  /** Reads the keyring for the first time and follows it from then on. Never throws: see `problem`. */
  start(): void {
    this.#poll();
    this.#timer = setInterval(() => this.#poll(), POLL_MILLISECONDS);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#reader?.close();
    this.#reader = undefined;
    for (const material of this.#materials.values()) material.wipe();
    this.#materials.clear();
  }

  /** Why the file cannot be read just now, if so. */
  get problem(): ClavigerError | undefined {
    return this.#problem;
  }

  get versionCount(): number {
    return this.#versions.size;
  }

  /** Stored versions that this release cannot read, by versionId, and why. All others are had. */
  get unreadable(): ReadonlyMap<string, ClavigerError> {
    return this.#unreadable;
  }

  /** Stored keys and aliases that this release cannot read. All others are had. */
  get unreadableRows(): readonly UnreadableRow[] {
    return this.#snapshot.unreadable;
  }

  /** Calls `listener` after every change of keys, aliases or versions. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Keys by NAMESPACE/NAME. A change of the file brings another map. */
  get keys(): ReadonlyMap<string, KeyRow> {
    return this.#snapshot.keys;
  }

  /** Aliases by NAMESPACE/NAME. */
  get aliases(): ReadonlyMap<string, AliasRow> {
    return this.#snapshot.aliases;
  }

  /** One version by id, from memory or the file. Throws KeyringCorrupt where this very one cannot be read. */
  version(versionId: string): VersionRow | undefined {
    const known = this.#versions.get(versionId);
    if (known !== undefined || this.#reader === undefined || this.#destroyed.has(versionId)) return known;
    if (this.#complete && this.#missedOften) return undefined;
    this.#misses += 1;
    const row = this.#reader.version(versionId);
    if (row === undefined) return undefined;
    this.#misses -= 1;
    this.#versions.set(versionId, row);
    return row;
  }

  /** What is left of a version that was destroyed. */
  destroyed(versionId: string): TombstoneRow | undefined {
    return this.#destroyed.get(versionId);
  }

  /**
   * Returns the MasterKey that a version belongs to. A MasterKey that merely claims the version's
   * keyId has no say in its use.
   */
  owner({ masterKey, keyId }: Pick<VersionRow, "masterKey" | "keyId">): KeyRow | undefined {
    const key = this.#snapshot.keys.get(nameText(masterKey));
    return key?.keyId === keyId ? key : undefined;
  }

  /** Whether the alias has served the imported material of this MasterKey before, as far as the keyring knows. */
  servedImport(served: ServedImport): boolean {
    return this.#snapshot.servedImports?.has(servedImportText(served)) ?? true;
  }

  /**
   * The time by which material expires, in epoch milliseconds: see `expiryTime`. An operator that
   * doubts this node's clock repeats it; of one that is gone, its last word does not count.
   */
  expiryTime(now: number): number {
    const { time } = this.#snapshot;
    const passed = performance.now() - this.#timeHeardAt;
    return time === undefined || passed >= DOUBT_MILLISECONDS ? now : expiryTime(time, passed, now);
  }

  /** A version's material, opened once. Throws SealUnavailable, SealMismatch or VersionDestroyed. */
  async material(version: VersionRow): Promise<Secret> {
    const known = this.#materials.get(version.versionId);
    if (known !== undefined) return known;
    if (this.#missedOften && this.#refused.has(version.versionId)) throw this.#refused.get(version.versionId);
    const opening = this.#opening.get(version.versionId) ?? this.#open(version);
    this.#opening.set(version.versionId, opening);
    return opening.finally(() => this.#opening.delete(version.versionId));
  }

  async #open(version: VersionRow): Promise<Secret> {
    const material = await this.#seals.unseal(version, version.sealed).catch((error: unknown) => {
      this.#misses += 1;
      this.#refused.set(version.versionId, error);
      throw error;
    });
    const tombstone = this.#destroyed.get(version.versionId);
    if (this.#closed || tombstone !== undefined) material.wipe();
    if (tombstone !== undefined) throw destroyedError(tombstone);
    if (this.#closed) throw new ClavigerError("NotReady", "the keyring is closed");
    this.#materials.set(version.versionId, material);
    return material;
  }

  get #missedOften(): boolean {
    return this.#misses >= MAX_MISSES;
  }

  /** Returns the error for an object that is not in the keyring: the file or its row may be unreadable just now. */
  absent(what: string): ClavigerError {
    const unreadable = this.#snapshot.unreadable.find(({ name }) => name === what)?.error;
    const absent = new ClavigerError(
      "NotFound",
      `${what} is not in the keyring of this node: apply it, and see whether the operator of this node runs`,
    );
    return this.#problem ?? unreadable ?? absent;
  }

  #poll(): void {
    this.#misses = 0;
    this.#refused.clear();
    try {
      if (this.#reader?.replaced()) this.#reopen();
      this.#reader ??= openTrusted(this.path);
      if (this.#reader.changed()) {
        const before = this.#snapshot.time?.seen;
        this.#snapshot = withFormer(this.#reader.snapshot(), this.#snapshot);
        if (this.#snapshot.time?.seen !== before) this.#timeHeardAt = performance.now();
        this.#forgetDestroyed(this.#reader);
        this.#complete = false;
        this.#notify();
      }
      if (!this.#complete && !this.#isFirstLook) void this.#loadVersions();
      if (this.#problem !== undefined) {
        this.#problem = undefined;
        this.#notify();
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#isFirstLook = false;
  }

  #reopen(): void {
    this.#reader?.close();
    this.#reader = undefined;
    this.#complete = false;
    this.#loadedSeq = 0;
    this.#unreadable.clear();
    this.#tombstoneSeq = 0;
  }

  #forgetDestroyed(reader: KeyringReader): void {
    for (const { seq, tombstone } of reader.tombstonesAfter(this.#tombstoneSeq)) {
      this.#tombstoneSeq = seq;
      this.#destroyed.set(tombstone.versionId, tombstone);
      this.#versions.delete(tombstone.versionId);
      this.#materials.get(tombstone.versionId)?.wipe();
      this.#materials.delete(tombstone.versionId);
      // Without the row that had it, the highest seq is given once more: all are read again.
      this.#loadedSeq = 0;
    }
  }

  /** A file that fails is opened anew next time; whoever restores it need not restart us. */
  #fail(error: unknown): void {
    this.#reopen();
    const before = this.#problem?.message;
    this.#problem =
      error instanceof ClavigerError
        ? error
        : new ClavigerError(codeOf(error), messageOf(error), { cause: error });
    if (this.#problem.message !== before) this.#notify();
  }

  async #loadVersions(): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    try {
      for (;;) {
        // Between chunks the event loop answers the API server.
        await new Promise(setImmediate);
        if (this.#closed || this.#reader === undefined) return;
        const rows = this.#reader.rowsAfter(this.#loadedSeq, LOAD_CHUNK);
        for (const row of rows) this.#take(row);
        if (rows.length < LOAD_CHUNK) {
          this.#complete = true;
          // A re-sealed version may open now that did not before.
          if (rows.length > 0) this.#notify();
          return;
        }
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#loading = false;
    }
  }

  /** One that was read before stays as it was: what it encrypted can be opened on. */
  #take(row: StoredVersion): void {
    this.#loadedSeq = row.seq;
    if ("error" in row) {
      this.#unreadable.set(row.versionId, row.error);
      return;
    }
    this.#unreadable.delete(row.version.versionId);
    if (!this.#destroyed.has(row.version.versionId)) this.#versions.set(row.version.versionId, row.version);
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** A key or alias that cannot be read any more stays as it was read before: it is served on. */
function withFormer(now: KeyringSnapshot, former: KeyringSnapshot): KeyringSnapshot {
  const lost = new Set(now.unreadable.map(({ name }) => name));
  const kept = <T>(kind: string, rows: ReadonlyMap<string, T>, before: ReadonlyMap<string, T>) =>
    new Map([...[...before].filter(([name]) => lost.has(`${kind} ${name}`)), ...rows]);
  return {
    ...now,
    keys: kept("MasterKey", now.keys, former.keys),
    aliases: kept("KeyAlias", now.aliases, former.aliases),
  };
}

/** Opens a keyring that nobody else can replace. What was read before is served on if one is refused. */
function openTrusted(path: string): KeyringReader {
  const folder = dirname(path);
  // Says in its own words if the folder cannot be entered at all.
  inodeOf(path);
  refuseReplaceable(folder, flawOfFolder(folder));
  return KeyringReader.open(path);
}

/** Says which version is gone, since when and why. */
export function destroyedError({ number, masterKey, destroyedAt, reason }: TombstoneRow): ClavigerError {
  const text = `version ${number} of MasterKey ${nameText(masterKey)} was destroyed on ${destroyedAt}: ${reason}`;
  return new ClavigerError("VersionDestroyed", text);
}
