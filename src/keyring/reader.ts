import type { DatabaseSync } from "node:sqlite";
import { ClavigerError } from "../errors.ts";
import type { ObjectName } from "../names.ts";
import type { Ownership } from "../seal/ownership.ts";
import type { GrantRow } from "./grant-row.ts";
import { inodeOf } from "./inode.ts";
import { appearance, type Opened, openReadable } from "./open-readable.ts";
import { type ReadImage, readImage } from "./read-image.ts";
import type {
  KeyringImage,
  ObjectRow,
  TombstoneRow,
  UnreadableRow,
  UnreadableVersion,
  VersionRow,
} from "./rows.ts";
import { emptyKeyring, hasTable, schemaVersion, TOMBSTONES_SINCE } from "./schema.ts";
import { allRows, type RawRow, withKeyringErrors } from "./sqlite.ts";
import { readAliasRows } from "./tables/aliases.ts";
import { type FollowedKind, isFollowed } from "./tables/followed-kinds.ts";
import { readGrantRows } from "./tables/grants.ts";
import { type KeyDetails, keyDetailsOf } from "./tables/key-details.ts";
import {
  type FoundStamp,
  type KeyPolicy,
  keyPolicyOf,
  SELECT_STAMP,
  toFoundStamp,
} from "./tables/key-policies.ts";
import { readKeyRows } from "./tables/keys.ts";
import { readObjectRows } from "./tables/objects.ts";
import { readOwnership } from "./tables/ownership.ts";
import { type KeyringSnapshot, readSnapshot } from "./tables/snapshot.ts";
import type { Sql } from "./tables/sql.ts";
import { readTombstoneRows } from "./tables/tombstones.ts";
import { type VersionDetails, versionDetailsOf } from "./tables/version-details.ts";
import { readVersionRow, toVersionRow } from "./tables/versions.ts";

/** A row of the large table. */
export type StoredVersion = { readonly seq: number } & ({ readonly version: VersionRow } | UnreadableVersion);

/** A row of the table of grants; `grant` is undefined if the row cannot be read. */
export interface StoredGrant {
  readonly seq: number;
  readonly grantId: string;
  readonly grant: GrantRow | undefined;
}

/** Reads a keyring that another process writes. Sees whole transactions only. */
export class KeyringReader {
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #inode: number;
  /** Set if the file is read as a file that nobody writes: its appearance when it was opened. */
  readonly #frozen: string | undefined;
  readonly #dataVersion: ReturnType<DatabaseSync["prepare"]>;
  #seen = -1;
  #stamps: ReturnType<DatabaseSync["prepare"]> | undefined;

  private constructor(path: string, { db, frozen }: Opened, inode: number) {
    this.#path = path;
    this.#db = db;
    this.#inode = inode;
    this.#frozen = frozen;
    this.#dataVersion = db.prepare("PRAGMA data_version");
  }

  /** Throws NotReady if there is no keyring yet, KeyringUnavailable or KeyringCorrupt. */
  static open(path: string): KeyringReader {
    const inode = inodeOf(path);
    if (inode === undefined) {
      throw new ClavigerError("NotReady", `there is no keyring ${path} yet: start the operator of this node`);
    }
    return withKeyringErrors(path, () => {
      const opened = openReadable(path);
      try {
        if (schemaVersion(opened.db, path) === 0) throw emptyKeyring(path);
        return new KeyringReader(path, opened, inode);
      } catch (error) {
        opened.db.close();
        throw error;
      }
    });
  }

  /** Returns true if anything was committed since the last `snapshot`. Costs a few microseconds. */
  changed(): boolean {
    return !this.hasRead(this.dataVersion());
  }

  /** Returns true if the last `snapshot` was of this `dataVersion`. */
  hasRead(dataVersion: number): boolean {
    return dataVersion === this.#seen;
  }

  /** Returns a number that changes with each commit by another process. Costs a few microseconds. */
  dataVersion(): number {
    return withKeyringErrors(this.#path, () => this.#readDataVersion());
  }

  /** Returns true if another file is at our path (a restore), or its disk is writable again. */
  replaced(): boolean {
    if (this.#frozen !== undefined) return appearance(this.#path) !== this.#frozen;
    return inodeOf(this.#path) !== this.#inode;
  }

  /** Returns the small tables as of one moment. What has not changed since `former` is not read again. */
  snapshot(former?: KeyringSnapshot): KeyringSnapshot {
    const tables = {
      all: (sql: string) => this.#all(sql),
      has: (name: string) => hasTable(this.#db, name),
    };
    return this.#atOnce(() => readSnapshot(tables, former));
  }

  /** Returns everything as of one moment. Throws KeyringCorrupt if a row cannot be read. */
  image(): KeyringImage {
    const { image, unreadable } = this.readImage();
    const [first] = unreadable;
    if (first !== undefined) throw first.error;
    return image;
  }

  /** Returns the same without unreadable rows. A key whose current version is unreadable has none. */
  readImage(): ReadImage {
    return this.#atOnce(() => readImage((sql) => this.#all(sql), this.#ownership()));
  }

  /** Returns the rows that cannot be read, except versions (see `rowsAfter`). */
  unreadableRows(): UnreadableRow[] {
    return this.#atOnce(() => [
      ...readKeyRows(this.#all("SELECT * FROM keys")).unreadable,
      ...readAliasRows(this.#all("SELECT * FROM aliases")).unreadable,
      ...readObjectRows(this.#all("SELECT * FROM objects")).unreadable,
      ...readTombstoneRows(this.#rawTombstones(0)).unreadable,
    ]);
  }

  /** The file of an older release has no such table. */
  #ownership(): ReadonlyMap<string, Ownership> {
    return hasTable(this.#db, "ownership") ? readOwnership((sql) => this.#all(sql)) : new Map();
  }

  /** Returns a version by its id. */
  version(versionId: string): VersionRow | undefined {
    return withKeyringErrors(this.#path, () => {
      const [row] = allRows(this.#db, "SELECT * FROM versions WHERE version_id = ?", versionId);
      return row && toVersionRow(row);
    });
  }

  /** Returns up to `limit` versions written or re-sealed after `seq`, oldest first, each with its seq. */
  versionsAfter(seq: number, limit: number): { readonly seq: number; readonly version: VersionRow }[] {
    return this.#rawAfter(seq, limit).map((row) => ({ seq: Number(row.seq), version: toVersionRow(row) }));
  }

  /** Returns the same, including the versions that this release cannot read. */
  rowsAfter(seq: number, limit: number): StoredVersion[] {
    return this.#rawAfter(seq, limit).map((row) => ({ seq: Number(row.seq), ...readVersionRow(row) }));
  }

  /** Returns standalone mode's object of that kind and name, as JSON. */
  object(kind: string, { namespace, name }: ObjectName): string | undefined {
    return withKeyringErrors(this.#path, () => {
      const row = this.#db
        .prepare("SELECT json FROM objects WHERE kind = ? AND namespace = ? AND name = ?")
        .get(kind, namespace, name);
      return row && String(row.json);
    });
  }

  /** Returns what describes a key; undefined if it is not recorded: no operator of an older release did. */
  keyDetails(name: ObjectName): KeyDetails | undefined {
    return withKeyringErrors(this.#path, () =>
      hasTable(this.#db, "key_details") ? keyDetailsOf(this.#sql, name) : undefined,
    );
  }

  /** Returns the stamp of a MasterKey's policy. Costs a few microseconds. */
  policyStamp({ namespace, name }: ObjectName): FoundStamp {
    return withKeyringErrors(this.#path, () => {
      // The operator of an older release records no policies.
      if (this.#stamps === undefined && hasTable(this.#db, "key_policies"))
        this.#stamps = this.#db.prepare(SELECT_STAMP);
      const row = this.#stamps?.get(namespace, name);
      return row === undefined ? { areRecorded: false, stamp: undefined } : toFoundStamp(row);
    });
  }

  /** Returns the policy of a MasterKey; undefined if it has none of its own. */
  keyPolicy(name: ObjectName): KeyPolicy | undefined {
    return withKeyringErrors(this.#path, () => keyPolicyOf(this.#sql, name));
  }

  /** Returns when and why a version became current; undefined if it is not recorded. */
  versionDetails(versionId: string): VersionDetails | undefined {
    return withKeyringErrors(this.#path, () =>
      hasTable(this.#db, "version_details") ? versionDetailsOf(this.#sql, versionId) : undefined,
    );
  }

  /** Returns the versions with this keyId that can be read, the lowest number first. */
  versionsOf(keyId: string): readonly VersionRow[] {
    return withKeyringErrors(this.#path, () =>
      allRows(this.#db, "SELECT * FROM versions WHERE key_id = ? ORDER BY number, version_id", keyId)
        .map(readVersionRow)
        .flatMap((row) => ("version" in row ? row.version : [])),
    );
  }

  /** Returns standalone mode's objects of a kind. */
  objectsOf(kind: string): readonly ObjectRow[] {
    return withKeyringErrors(
      this.#path,
      () => readObjectRows(allRows(this.#db, "SELECT * FROM objects WHERE kind = ?", kind)).rows,
    );
  }

  /** Returns all tombstones written after `seq`, oldest first, each with its seq. */
  tombstonesAfter(seq: number): { readonly seq: number; readonly tombstone: TombstoneRow }[] {
    return withKeyringErrors(this.#path, () =>
      this.#rawTombstones(seq).flatMap((row) =>
        readTombstoneRows([row]).rows.map((tombstone) => ({ seq: Number(row.seq), tombstone })),
      ),
    );
  }

  /** Returns up to `limit` grants written after `seq`, oldest first, each with its seq; none of an older release. */
  grantsAfter(seq: number, limit: number): readonly StoredGrant[] {
    return this.#atOnce(() => {
      if (!hasTable(this.#db, "grants")) return [];
      const rows = allRows(this.#db, "SELECT * FROM grants WHERE seq > ? ORDER BY seq LIMIT ?", seq, limit);
      return rows.map((row) => ({
        seq: Number(row.seq),
        grantId: String(row.grant_id),
        grant: readGrantRows([row]).rows[0],
      }));
    });
  }

  /** Returns true if the keyring has had all objects of a kind once. */
  hasFollowed(kind: FollowedKind): boolean {
    // An operator of an older release does not record it.
    return withKeyringErrors(
      this.#path,
      () => !hasTable(this.#db, "followed_kinds") || isFollowed(this.#sql, kind),
    );
  }

  close(): void {
    this.#db.close();
  }

  #rawAfter(seq: number, limit: number): RawRow[] {
    return withKeyringErrors(this.#path, () =>
      allRows(this.#db, "SELECT * FROM versions WHERE seq > ? ORDER BY seq LIMIT ?", seq, limit),
    );
  }

  #rawTombstones(seq: number): RawRow[] {
    // A plugin may be of a newer release than the operator that migrates the file.
    if (schemaVersion(this.#db, this.#path) < TOMBSTONES_SINCE) return [];
    return allRows(this.#db, "SELECT * FROM tombstones WHERE seq > ? ORDER BY seq", seq);
  }

  /** Reads in one transaction, so that later commits are not seen. */
  #atOnce<T>(read: () => T): T {
    return withKeyringErrors(this.#path, () => {
      this.#seen = this.#readDataVersion();
      this.#db.exec("BEGIN");
      try {
        return read();
      } finally {
        // After an I/O error SQLite has already ended the transaction, and a second COMMIT would hide the
        // cause.
        if (this.#db.isTransaction) this.#db.exec("COMMIT");
      }
    });
  }

  #all(sql: string): RawRow[] {
    return allRows(this.#db, sql);
  }

  get #sql(): Pick<Sql, "all"> {
    return { all: (sql, ...values) => allRows(this.#db, sql, ...values) };
  }

  #readDataVersion(): number {
    return Number(this.#dataVersion.get()?.data_version);
  }
}
