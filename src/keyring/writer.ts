import { join } from "node:path";
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { ClavigerError } from "../errors.ts";
import { writePoint } from "../write-points.ts";
import { applyChange, changedVersion, tablesOf } from "./apply-change.ts";
import type { KeyringChange } from "./changes.ts";
import type { FileLock } from "./file-lock.ts";
import { inodeOf } from "./inode.ts";
import { KeptRows, type ReadVersions } from "./kept-rows.ts";
import { observationsStamp, readObservations } from "./observations.ts";
import { openDatabase } from "./open-database.ts";
import type { AliasRow, KeptTombstone, KeyRow, ObservationRow, UnreadableRow, VersionRow } from "./rows.ts";
import { allRows, type RawRow, withKeyringErrors } from "./sqlite.ts";
import { KEYRING_FILE, lockStateFolder } from "./state-folder.ts";
import { readAliasRows } from "./tables/aliases.ts";
import { GrantTable } from "./tables/grants.ts";
import { type PolicyStamp, readPolicyStamps, stampsByName } from "./tables/key-policies.ts";
import { readKeyRows } from "./tables/keys.ts";
import { ObjectTable } from "./tables/objects.ts";
import type { ReadRows } from "./tables/read-rows.ts";
import type { Sql } from "./tables/sql.ts";
import { readTombstoneRows, tombstoneId } from "./tables/tombstones.ts";

/** The only writer of a keyring: the node's operator. Others open it for reading. */
export class KeyringWriter implements Sql {
  readonly path: string;
  readonly #db: DatabaseSync;
  readonly #lock: FileLock;
  readonly #inode: number | undefined;
  /** The custom resources of standalone mode. */
  readonly objects = new ObjectTable(this);
  readonly grants = new GrantTable(this);
  readonly #kept = new KeptRows((sql, ...values) => this.all(sql, ...values));

  private constructor(path: string, db: DatabaseSync, lock: FileLock) {
    this.path = path;
    this.#db = db;
    this.#lock = lock;
    this.#inode = inodeOf(path);
  }

  /**
   * Opens or creates `stateDir`/keyring.db (0600 in a 0700 folder) and migrates it to this release's schema.
   * Throws InUse if another operator has it, KeyringCorrupt if it is damaged, KeyringUnavailable if it cannot
   * be written.
   */
  static open(stateDir: string, remedyInUse?: string): KeyringWriter {
    const path = join(stateDir, KEYRING_FILE);
    const lock = lockStateFolder(stateDir, remedyInUse);
    try {
      return withKeyringErrors(path, () => new KeyringWriter(path, openDatabase(path), lock));
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Says which file is at our path now. SQLite would not notice another file, or a missing one. */
  get place(): "ours" | "another" | "none" {
    const inode = inodeOf(this.path);
    if (inode === undefined) return "none";
    return inode === this.#inode ? "ours" : "another";
  }

  /** The reason why our file is not at our path, if so. */
  get displaced(): ClavigerError | undefined {
    const { place } = this;
    if (place === "ours") return undefined;
    return new ClavigerError(
      "KeyringUnavailable",
      place === "none"
        ? `keyring ${this.path} was moved away while its operator runs: put it back, with its -wal and -shm`
        : `keyring ${this.path} is another file than the one that its operator opened: start the operator again`,
    );
  }

  /**
   * Throws KeyringUnavailable unless our file is at our path: no plugin would see writes to a file that was
   * moved away. Called before every read and write.
   */
  mustBeInPlace(): void {
    const { displaced } = this;
    if (displaced !== undefined) throw displaced;
  }

  /** Applies all changes or none. They are on disk (fsync) when this returns. */
  apply(changes: readonly KeyringChange[]): void {
    this.mustBeInPlace();
    if (changes.length === 0) return;
    writePoint("keyring.apply", "before");
    this.transaction(() => {
      for (const change of changes) {
        for (const table of tablesOf(change)) this.#kept.change(table);
        const versionId = changedVersion(change);
        if (versionId !== undefined) this.#kept.touch(versionId);
        applyChange(this, change);
      }
    });
    writePoint("keyring.apply", "after");
  }

  keys(): readonly KeyRow[] {
    return this.#keyRows().rows;
  }

  aliases(): readonly AliasRow[] {
    return this.#aliasRows().rows;
  }

  /** Returns the key policies that are recorded, by NAMESPACE/NAME of their MasterKeys. */
  policies(): ReadonlyMap<string, PolicyStamp> {
    return stampsByName(this.#kept.rows("key_policies", "namespace, name", readPolicyStamps).rows);
  }

  /** Returns the rows that cannot be read, except versions (see `readVersions`). */
  unreadableRows(): UnreadableRow[] {
    return [this.#keyRows(), this.#aliasRows(), this.#tombstoneRows(), this.objects.read()].flatMap(
      ({ unreadable }) => unreadable,
    );
  }

  /** Returns the versionIds of destroyed versions, including those whose tombstone cannot be read. */
  destroyedIds(): Set<string> {
    const { rows, unreadable } = this.#tombstoneRows();
    return new Set([...rows.map(({ versionId }) => versionId), ...unreadable.flatMap(tombstoneIds)]);
  }

  #keyRows(): ReadRows<KeyRow> {
    return this.#kept.rows("keys", "namespace, name", readKeyRows);
  }

  #aliasRows(): ReadRows<AliasRow> {
    return this.#kept.rows("aliases", "namespace, name", readAliasRows);
  }

  #tombstoneRows(): ReadRows<KeptTombstone> {
    return this.#kept.rows("tombstones", "seq", readTombstoneRows);
  }

  versions(): readonly VersionRow[] {
    return this.readVersions().versions;
  }

  /** Returns the versions, and those that this release cannot read. */
  readVersions(): ReadVersions {
    return this.#kept.versions();
  }

  /** Returns true if anything here is or was sealed under a root key, readable or not. */
  holdsAnySealed(): boolean {
    const sql = "SELECT EXISTS (SELECT 1 FROM versions) OR EXISTS (SELECT 1 FROM tombstones) AS any";
    return Number(this.all(sql)[0]?.any) === 1;
  }

  /** Returns the tombstones, oldest first. */
  tombstones(): readonly KeptTombstone[] {
    return this.#tombstoneRows().rows;
  }

  /** Returns a number that grows with every row that this process writes. */
  stamp(): number {
    return Number(this.all("SELECT total_changes() AS changes")[0]?.changes);
  }

  /** Returns the observations of this node's plugin. */
  observations(): ObservationRow[] {
    return readObservations(this.path);
  }

  /** Returns a text that changes when the plugin has written observations. */
  observationsStamp(): string {
    return observationsStamp(this.path);
  }

  /**
   * Rewrites the file and empties its log, so that no bytes of destroyed versions stay in free pages, in
   * unused parts of other pages, or in the log. Does nothing if that was done. Throws KeyringUnavailable if
   * it cannot be done at present.
   */
  scrub(): void {
    if (this.all("SELECT 1 FROM tombstones WHERE erased = 0 LIMIT 1").length === 0) return;
    writePoint("keyring.scrub", "before");
    this.run("VACUUM");
    const busy = this.all("PRAGMA wal_checkpoint(TRUNCATE)")[0]?.busy;
    if (busy !== 0) {
      throw new ClavigerError(
        "KeyringUnavailable",
        `keyring ${this.path} is being read, so its write-ahead log cannot be truncated yet: destroyed material is erased from it once the reader is done`,
      );
    }
    this.#kept.change("tombstones");
    this.run("UPDATE tombstones SET erased = 1");
    writePoint("keyring.scrub", "after");
  }

  /** Runs a statement of one of the tables (tables/). Returns how many rows it changed. */
  run(sql: string, ...values: readonly SQLInputValue[]): number {
    this.mustBeInPlace();
    return withKeyringErrors(this.path, () => Number(this.#db.prepare(sql).run(...values).changes));
  }

  all(sql: string, ...values: readonly SQLInputValue[]): RawRow[] {
    this.mustBeInPlace();
    return withKeyringErrors(this.path, () => allRows(this.#db, sql, ...values));
  }

  /** Runs `work` in one transaction. */
  transaction(work: () => void): void {
    this.mustBeInPlace();
    withKeyringErrors(this.path, () => {
      this.#db.exec("BEGIN IMMEDIATE");
      try {
        work();
        this.#db.exec("COMMIT");
      } catch (error) {
        // After an I/O error SQLite has rolled back by itself, and a second ROLLBACK would hide the cause.
        if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
        throw error;
      }
    });
  }

  close(): void {
    try {
      // A plugin that reads all the time prevents it, and then a copy of the file alone would lack the
      // contents of the log.
      this.#db.exec("PRAGMA busy_timeout = 1000; PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // The disk is full or damaged: the contents of the log are read from there, and nothing is lost.
    }
    this.#db.close();
    this.#lock.release();
  }
}

const tombstoneIds = (row: UnreadableRow): string[] => {
  const versionId = tombstoneId(row);
  return versionId === undefined ? [] : [versionId];
};
