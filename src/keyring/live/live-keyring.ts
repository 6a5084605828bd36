import type { Secret } from "../../crypto/secret.ts";
import { asClavigerError, ClavigerError } from "../../errors.ts";
import { nameText, type ObjectName } from "../../names.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import type { KeyringReader } from "../reader.ts";
import type { AliasRow, KeyRow, TombstoneRow, UnreadableRow, VersionRow } from "../rows.ts";
import { type ServedImport, servedImportText } from "../tables/served-imports.ts";
import { changedTables } from "../tables/table-changes.ts";
import { KeptVersions } from "./kept-versions.ts";
import { LatestSnapshot } from "./latest-snapshot.ts";
import { LookPace } from "./look-pace.ts";
import { Misses } from "./misses.ts";
import { OpenedMaterials } from "./opened-materials.ts";
import { SightedCommits } from "./sighted-commits.ts";
import { openTrusted } from "./trusted-reader.ts";

/** The time between two looks at the file. A commit by the operator must be seen within a second. */
const POLL_MILLISECONDS = 200;

/**
 * The keyring as the doors use it: in memory, following the file.
 *
 * At its first look it reads the small tables only, so that ten thousand versions do not delay the first
 * answers; from the second look on, versions are read, still sealed, in the background. Material is opened
 * when first used and kept. If the file becomes unreadable, the contents in memory continue to be served and
 * `problem` says so. Destroyed versions are wiped from memory, and not served from an older file either.
 */
export class LiveKeyring {
  readonly path: string;
  readonly #versions = new KeptVersions();
  readonly #misses = new Misses();
  readonly #materials: OpenedMaterials;
  readonly #listeners = new Set<() => void>();
  #reader: KeyringReader | undefined;
  readonly #latest = new LatestSnapshot();
  readonly #pace = new LookPace(() => this.#readChanges());
  readonly #sighted = new SightedCommits();
  #problem: ClavigerError | undefined;
  #timer: NodeJS.Timeout | undefined;
  #loading = false;
  /** True until the first look at the file is over: no caller was answered before. */
  #isFirstLook = true;
  /** True if every version that was committed at the last look is in memory. */
  #complete = false;
  #closed = false;

  constructor(path: string, seals: SealSource) {
    this.path = path;
    const destroyed = (versionId: string) => this.#versions.destroyed(versionId);
    this.#materials = new OpenedMaterials({ seals, misses: this.#misses, destroyed });
  }

  /** Reads the keyring for the first time and then follows it. Never throws: see `problem`. */
  start(): void {
    this.#poll();
    this.#timer = setInterval(() => this.#poll(), POLL_MILLISECONDS);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#reader?.close();
    this.#reader = undefined;
    this.#materials.close();
  }

  /** The reason why the file cannot be read at present, if so. */
  get problem(): ClavigerError | undefined {
    return this.#problem;
  }

  get versionCount(): number {
    return this.#versions.count;
  }

  /**
   * Stored versions that this release cannot read, by versionId, with the reason. All others are available.
   */
  get unreadable(): ReadonlyMap<string, ClavigerError> {
    return this.#versions.unreadable;
  }

  /** Stored keys and aliases that this release cannot read. All others are available. */
  get unreadableRows(): readonly UnreadableRow[] {
    const { unreadableKeys, unreadableAliases } = this.#latest.rows;
    return [...unreadableKeys, ...unreadableAliases];
  }

  /** Calls `listener` after every change of keys, aliases or versions. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Keys by NAMESPACE/NAME. A change of a key brings another map. */
  get keys(): ReadonlyMap<string, KeyRow> {
    return this.#latest.rows.keys;
  }

  /** Aliases by NAMESPACE/NAME. */
  get aliases(): ReadonlyMap<string, AliasRow> {
    return this.#latest.rows.aliases;
  }

  /**
   * Returns a version by id, from memory or the file. Throws KeyringCorrupt if this very version cannot be
   * read.
   */
  version(versionId: string): VersionRow | undefined {
    const known = this.#versions.get(versionId);
    if (known !== undefined || this.#reader === undefined || this.destroyed(versionId)) return known;
    if (this.#complete && this.#misses.often) return undefined;
    this.#misses.add();
    const row = this.#reader.version(versionId);
    if (row === undefined) return undefined;
    this.#misses.takeBack();
    this.#versions.put(row);
    return row;
  }

  /** Asks the file itself for what is not kept in memory. Throws `problem`, or NotReady if it is not open. */
  ask<T>(question: (reader: KeyringReader) => T): T {
    if (this.#reader !== undefined) return question(this.#reader);
    throw this.#problem ?? new ClavigerError("NotReady", "the keyring is closed");
  }

  /** Returns the tombstone of a version that was destroyed. */
  destroyed(versionId: string): TombstoneRow | undefined {
    return this.#versions.destroyed(versionId);
  }

  /**
   * Returns the MasterKey that a version belongs to. A MasterKey that merely claims the version's keyId does
   * not affect its use.
   */
  owner({ masterKey, keyId }: Pick<VersionRow, "masterKey" | "keyId">): KeyRow | undefined {
    const key = this.#latest.rows.keys.get(nameText(masterKey));
    return key?.keyId === keyId ? key : undefined;
  }

  /**
   * Returns true if the alias has served the imported material of this MasterKey before, as far as the
   * keyring knows.
   */
  servedImport(served: ServedImport): boolean {
    return this.#latest.rows.servedImports?.has(servedImportText(served)) ?? true;
  }

  /** Returns true if the KeyAlias of an alias is gone. */
  isRemoved(alias: ObjectName): boolean {
    return this.#latest.rows.removedAliases?.has(nameText(alias)) ?? false;
  }

  /** True if the keyring has had all keys once: a key that is not there does not exist. */
  get hasHadAllKeys(): boolean {
    return this.#latest.rows.followedKinds?.has("MasterKey") ?? true;
  }

  /** True if the keyring has had the policies of all keys once. */
  get hasHadAllPolicies(): boolean {
    return this.#latest.rows.followedKinds?.has("KeyPolicy") ?? false;
  }

  /** Returns the time by which material expires, in epoch milliseconds: see LatestSnapshot. */
  expiryTime(now: number): number {
    return this.#latest.expiryTime(now);
  }

  /** Returns a version's material, opened once. Throws SealUnavailable, SealMismatch or VersionDestroyed. */
  material(version: VersionRow): Promise<Secret> {
    return this.#materials.of(version);
  }

  /**
   * Returns the error for an object that is not in the keyring: the file or its row may be unreadable at
   * present.
   */
  absent(what: string): ClavigerError {
    const unreadable = this.unreadableRows.find(({ name }) => name === what)?.error;
    const absent = new ClavigerError(
      "NotFound",
      `${what} is not in the keyring of this node: apply it, and see whether the operator of this node runs`,
    );
    return this.#problem ?? unreadable ?? absent;
  }

  /**
   * A number that is another after each commit that was sighted, and for each file that was opened: rows that were
   * asked for while it was the same are the same.
   */
  get commits(): number {
    return this.#sighted.count;
  }

  /**
   * Sees what another process has committed: a caller must see its own change. It is read at once, unless looks have
   * cost too much lately. A file that was put in place of this file is seen with the next poll.
   */
  freshen(): void {
    try {
      if (this.#reader === undefined || this.#sighted.sight(this.#reader)) this.#pace.lookIfDue();
    } catch (error) {
      this.#fail(error);
    }
  }

  #poll(): void {
    this.#misses.reset();
    this.#materials.forgetRefusals();
    this.#pace.look();
  }

  #readChanges(): void {
    try {
      if (this.#reader?.replaced()) this.#reopen();
      this.#reader ??= openTrusted(this.path);
      if (this.#sighted.sight(this.#reader)) this.#takeChanges(this.#reader);
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

  /** Reads what has changed. Most commits are about grants, or about what describes a key: nothing kept here. */
  #takeChanges(reader: KeyringReader): void {
    const { read } = this.#latest;
    const snapshot = reader.snapshot(read);
    const changed = changedTables(read?.changes, snapshot.changes);
    if (changed.size === 0) return;
    this.#latest.take(snapshot);
    if (changed.has("tombstones")) this.#forgetDestroyed(reader);
    if (changed.has("tombstones") || changed.has("versions")) this.#complete = false;
    this.#notify();
  }

  /** Closes the file, to open the path again. What is not in memory yet is read from the old file first. */
  #reopen(): void {
    if (this.#reader !== undefined && !this.#complete) this.#takeRest(this.#reader);
    this.#reader?.close();
    this.#reader = undefined;
    this.#sighted.forgetFile();
    this.#latest.forgetFile();
    this.#complete = false;
    this.#versions.startAgain();
  }

  #forgetDestroyed(reader: KeyringReader): void {
    for (const versionId of this.#versions.removeDestroyed(reader)) this.#materials.wipe(versionId);
  }

  /**
   * A file that fails is opened again next time, so that whoever restores it need not restart this process.
   */
  #fail(error: unknown): void {
    this.#reopen();
    const before = this.#problem?.message;
    this.#problem = asClavigerError(error);
    if (this.#problem.message !== before) this.#notify();
  }

  async #loadVersions(): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    try {
      for (;;) {
        // Between chunks the event loop can answer the API server.
        await new Promise(setImmediate);
        if (this.#closed || this.#reader === undefined) return;
        if (this.#versions.readNext(this.#reader)) continue;
        this.#complete = true;
        // A re-sealed version may open now that did not open before.
        this.#notify();
        return;
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#loading = false;
    }
  }

  /** Reads all versions that are not in memory yet at once: a file that was removed or replaced is still readable while it is open. */
  #takeRest(reader: KeyringReader): void {
    try {
      while (this.#versions.readNext(reader));
    } catch {
      // The file is not readable any more, and `problem` says so: versions that are in memory are kept.
    }
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}
