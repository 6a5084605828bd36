import { chmodSync, closeSync, existsSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { KeyId } from "../crypto/ids.ts";
import { ClavigerError, messageOf } from "../errors.ts";
import { nameText, type ObjectName } from "../names.ts";
import type { Ownership } from "../seal/ownership.ts";
import { writePoint } from "../write-points.ts";
import {
  type ReadRows,
  readAliasRows,
  readKeyRows,
  readObjectRows,
  readTombstoneRows,
  readVersionRow,
  tombstoneId,
  unknownPart,
  unknownVersion,
} from "./codec.ts";
import type { FileLock } from "./file-lock.ts";
import { formatFormerTargets, leftAt, mergeFormerTargets } from "./former-targets.ts";
import { inodeOf } from "./inode.ts";
import { KeptRows, type ReadVersions, type Table } from "./kept-rows.ts";
import { syncFile } from "./new-file.ts";
import { observationsStamp, readObservations } from "./observations.ts";
import type {
  AliasRow,
  KeptTombstone,
  KeyRow,
  ObjectRow,
  ObservationRow,
  TombstoneRow,
  UnreadableRow,
  VersionRow,
} from "./rows.ts";
import { emptyKeyring, migrate, schemaVersion } from "./schema.ts";
import { allRows, type RawRow, withKeyringErrors } from "./sqlite.ts";
import { KEYRING_FILE, lockStateFolder } from "./state-folder.ts";
import { isVersionNumber } from "./version-number.ts";

export type PutKey = Pick<KeyRow, "namespace" | "name" | "keyId" | "enabled" | "deletionDate">;

/**
 * One change to a keyring. A list of them is one transaction: all or nothing, in order. A row
 * that cannot be read is never changed: what it records might be lost.
 */
export type KeyringChange =
  /**
   * Stores a version. Of a version that is stored already, this replaces all that its seal does not bind:
   * the seal itself (re-sealing), the owner and the validTo. The caller has checked their proof.
   */
  | { readonly kind: "putVersion"; readonly version: VersionRow }
  /** Names a key and says whether it may be used. The current version is left as it is. */
  | { readonly kind: "putKey"; readonly key: PutKey }
  /** Makes a stored version the one that encrypts; never one of a lower number. */
  | { readonly kind: "setCurrent"; readonly key: ObjectName; readonly version: VersionRow }
  /** Gives a name its own key back after it was led to another MasterKey's (repair.ts): the one way back to a former keyId. */
  | { readonly kind: "reclaimKey"; readonly key: ObjectName; readonly version: VersionRow }
  /** Points an alias, and records what it leaves; adds the former targets that are given, as a backup has them. */
  | { readonly kind: "putAlias"; readonly alias: AliasRow }
  /** Records the keyIds that a stored key's name encrypted under before, as a backup has them. */
  | { readonly kind: "putFormerKeyIds"; readonly key: ObjectName; readonly keyIds: readonly KeyId[] }
  /** Takes a version out for ever and keeps the tombstone, also of a version that never was here. */
  | { readonly kind: "destroyVersion"; readonly tombstone: TombstoneRow };

/** The small tables that a change writes to. */
function tablesOf({ kind }: KeyringChange): readonly Table[] {
  switch (kind) {
    case "putVersion":
      return [];
    case "putKey":
    case "setCurrent":
    case "reclaimKey":
    case "putFormerKeyIds":
      return ["keys"];
    case "putAlias":
      return ["aliases"];
    case "destroyVersion":
      return ["keys", "tombstones"];
  }
}

/** The versionId of the row that a change writes or deletes in the tables of versions and their proofs. */
function changedVersion(change: KeyringChange): string | undefined {
  if (change.kind === "putVersion") return change.version.versionId;
  return change.kind === "destroyVersion" ? change.tombstone.versionId : undefined;
}

/** The one writer of a keyring: the node's operator. Others open it for reading. */
export class KeyringWriter {
  readonly path: string;
  readonly #db: DatabaseSync;
  readonly #lock: FileLock;
  readonly #inode: number | undefined;
  readonly #kept = new KeptRows((sql, ...values) => this.all(sql, ...values));

  private constructor(path: string, db: DatabaseSync, lock: FileLock) {
    this.path = path;
    this.#db = db;
    this.#lock = lock;
    this.#inode = inodeOf(path);
  }

  /**
   * Opens or makes `stateDir`/keyring.db (0600 in a 0700 folder) and brings it to this release's schema.
   * Throws InUse where another operator has it, KeyringCorrupt where it is
   * damaged, KeyringUnavailable where it cannot be written.
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

  /** What lies at our path now. Of another file, or of none, SQLite would not tell us. */
  get place(): "ours" | "another" | "none" {
    const inode = inodeOf(this.path);
    if (inode === undefined) return "none";
    return inode === this.#inode ? "ours" : "another";
  }

  /** Why our file is not at our path, if so. */
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
   * Throws KeyringUnavailable unless our file is at our path: what is written to a
   * file that was moved away, no plugin sees. Asked before every read and write.
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
        this.#applyOne(change);
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

  /** The rows that cannot be read, versions aside (`readVersions`). */
  unreadableRows(): UnreadableRow[] {
    return [this.#keyRows(), this.#aliasRows(), this.#tombstoneRows(), this.#objectRows()].flatMap(
      ({ unreadable }) => unreadable,
    );
  }

  /** versionIds of what was destroyed, those too whose tombstone cannot be read. */
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

  #objectRows(): ReadRows<ObjectRow> {
    return readObjectRows(this.all("SELECT * FROM objects ORDER BY kind, namespace, name"));
  }

  versions(): readonly VersionRow[] {
    return this.readVersions().versions;
  }

  /** The versions, and those that this release cannot read. */
  readVersions(): ReadVersions {
    return this.#kept.versions();
  }

  /** Returns whether anything here is or was sealed under a root key, readable or not. */
  holdsAnySealed(): boolean {
    const sql = "SELECT EXISTS (SELECT 1 FROM versions) OR EXISTS (SELECT 1 FROM tombstones) AS any";
    return Number(this.all(sql)[0]?.any) === 1;
  }

  objects(): ObjectRow[] {
    return this.#objectRows().rows;
  }

  /** What was destroyed, oldest first. */
  tombstones(): readonly KeptTombstone[] {
    return this.#tombstoneRows().rows;
  }

  /** A number that grows with every row that this process writes. */
  stamp(): number {
    return Number(this.all("SELECT total_changes() AS changes")[0]?.changes);
  }

  /** What the plugin of this node saw. */
  observations(): ObservationRow[] {
    return readObservations(this.path);
  }

  /** A text that changes when the plugin has observed something. */
  observationsStamp(): string {
    return observationsStamp(this.path);
  }

  /**
   * Rewrites the file and empties its log, so that no bytes of destroyed versions
   * stay in free pages, in the gaps of others, or in the log. Does nothing where
   * that was done. Throws KeyringUnavailable where it cannot be done just now.
   */
  scrub(): void {
    if (this.all("SELECT 1 FROM tombstones WHERE erased = 0 LIMIT 1").length === 0) return;
    writePoint("keyring.scrub", "before");
    this.run("VACUUM");
    const busy = this.all("PRAGMA wal_checkpoint(TRUNCATE)")[0]?.busy;
    if (busy !== 0) {
      throw new ClavigerError(
        "KeyringUnavailable",
        `keyring ${this.path} has a reader that holds its log: what was destroyed is erased from it later`,
      );
    }
    this.#kept.change("tombstones");
    this.run("UPDATE tombstones SET erased = 1");
    writePoint("keyring.scrub", "after");
  }

  /** Standalone mode keeps its objects in the same file: its statements, on tables of its own, run on the same connection. */
  run(sql: string, ...values: (string | number | null)[]): void {
    this.mustBeInPlace();
    withKeyringErrors(this.path, () => this.#db.prepare(sql).run(...values));
  }

  all(sql: string, ...values: (string | number | null)[]): RawRow[] {
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
        // After an I/O error SQLite has rolled back by itself and a second ROLLBACK would hide the cause.
        if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
        throw error;
      }
    });
  }

  close(): void {
    try {
      // A plugin that reads on cannot do it: a copy of the file alone would lack what is in the log.
      this.#db.exec("PRAGMA busy_timeout = 1000; PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // On a full or damaged disk: what is in the log is read from there, and nothing is lost.
    }
    this.#db.close();
    this.#lock.release();
  }

  #applyOne(change: KeyringChange): void {
    switch (change.kind) {
      case "putVersion":
        this.#putVersion(change.version);
        break;
      case "putKey":
        this.#putKey(change.key);
        break;
      case "setCurrent":
        this.#setCurrent(change.key, change.version);
        break;
      case "reclaimKey":
        this.#reclaimKey(change.key, change.version);
        break;
      case "putAlias":
        this.#putAlias(change.alias);
        break;
      case "putFormerKeyIds":
        this.#putFormerKeyIds(change.key, change.keyIds);
        break;
      case "destroyVersion":
        this.#destroyVersion(change.tombstone);
        break;
    }
  }

  #destroyVersion(tombstone: TombstoneRow): void {
    const { versionId, masterKey, proof } = tombstone;
    if (!isVersionNumber(tombstone.number))
      throw new ClavigerError("InvalidArgument", `version ${versionId} has a number that no version has`);
    this.run("UPDATE keys SET current_version_id = NULL WHERE current_version_id = ?", versionId);
    this.run("DELETE FROM versions WHERE version_id = ?", versionId);
    this.run("DELETE FROM ownership WHERE version_id = ?", versionId);
    const insert = this.#db.prepare(
      `INSERT INTO tombstones
         (version_id, key_id, number, namespace, name, key_spec, key_usage, origin,
          destroyed_at, reason, proof_provider, root_key_id, proof, seq)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(seq), 0) + 1 FROM tombstones))
       ON CONFLICT (version_id) DO NOTHING`,
    );
    insert.run(
      versionId,
      tombstone.keyId,
      tombstone.number,
      masterKey.namespace,
      masterKey.name,
      tombstone.keySpec,
      tombstone.keyUsage,
      tombstone.origin,
      tombstone.destroyedAt,
      tombstone.reason,
      proof.provider,
      proof.rootKeyId,
      proof.blob,
    );
  }

  #putAlias(alias: AliasRow): void {
    const { namespace, name, masterKey } = alias;
    const { rows, unreadable } = this.#rowsOfAlias(alias);
    if (unreadable.length > 0) return;
    const [stored] = rows;
    const left = stored && this.#key({ namespace, name: stored.masterKey });
    const target = this.#key({ namespace, name: masterKey });
    const moves = stored !== undefined && stored.masterKey !== masterKey;
    if (moves && target !== undefined) refuseReturn(stored, target);
    const former = mergeFormerTargets(stored?.formerTargets ?? [], [
      ...(alias.formerTargets ?? []),
      ...(moves && left?.current && left.keyId !== target?.keyId
        ? [{ keyId: left.keyId, ...left.current }]
        : []),
    ]);
    this.run(
      `INSERT INTO aliases (namespace, name, master_key, former_targets) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET master_key = excluded.master_key, former_targets = excluded.former_targets`,
      namespace,
      name,
      masterKey,
      formatFormerTargets(former),
    );
  }

  #rowsOfAlias({ namespace, name }: ObjectName): ReadRows<AliasRow> {
    return readAliasRows(this.all("SELECT * FROM aliases WHERE namespace = ? AND name = ?", namespace, name));
  }

  #key(name: ObjectName): KeyRow | undefined {
    return this.#rowsOfKey(name).rows[0];
  }

  #rowsOfKey({ namespace, name }: ObjectName): ReadRows<KeyRow> {
    return readKeyRows(this.all("SELECT * FROM keys WHERE namespace = ? AND name = ?", namespace, name));
  }

  #isUnreadableKey(key: ObjectName): boolean {
    return this.#rowsOfKey(key).unreadable.length > 0;
  }

  #putFormerKeyIds({ namespace, name }: ObjectName, keyIds: readonly KeyId[]): void {
    if (this.#isUnreadableKey({ namespace, name })) return;
    this.run(
      "UPDATE keys SET former_key_ids = ? WHERE namespace = ? AND name = ?",
      keyIds.join(" "),
      namespace,
      name,
    );
  }

  #putVersion(version: VersionRow): void {
    const unknown = unknownPart(version);
    if (unknown !== undefined) throw unknownVersion(version, unknown);
    const destroyed = this.#db.prepare("SELECT 1 FROM tombstones WHERE version_id = ?");
    if (destroyed.get(version.versionId) !== undefined) {
      const which = `version ${version.number} of ${nameText(version.masterKey)}`;
      throw new ClavigerError("Internal", `${which} was destroyed and cannot be stored again`);
    }
    const held = this.all("SELECT * FROM versions WHERE version_id = ?", version.versionId);
    if (held.some((row) => "error" in readVersionRow(row))) return;
    const insert = this.#db.prepare(
      `INSERT INTO versions
         (version_id, key_id, number, namespace, name, key_spec, key_usage, origin, seal_provider, root_key_id, sealed, material_id, valid_to, seq)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(seq), 0) + 1 FROM versions))
       ON CONFLICT (version_id) DO UPDATE SET
         namespace = excluded.namespace, name = excluded.name, origin = excluded.origin,
         material_id = excluded.material_id, valid_to = excluded.valid_to,
         seal_provider = excluded.seal_provider, root_key_id = excluded.root_key_id,
         sealed = excluded.sealed, seq = excluded.seq`,
    );
    insert.run(
      version.versionId,
      version.keyId,
      version.number,
      version.masterKey.namespace,
      version.masterKey.name,
      version.keySpec,
      version.keyUsage,
      version.origin,
      version.sealed.provider,
      version.sealed.rootKeyId,
      version.sealed.blob,
      version.materialId ?? null,
      version.validTo ?? null,
    );
    if (version.ownership !== undefined) this.#putOwnership(version.versionId, version.ownership);
  }

  #putOwnership(versionId: string, { revision, proof }: Ownership): void {
    const upsert = this.#db.prepare(
      `INSERT INTO ownership (version_id, revision, proof_provider, root_key_id, proof) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (version_id) DO UPDATE SET
         revision = excluded.revision, proof_provider = excluded.proof_provider,
         root_key_id = excluded.root_key_id, proof = excluded.proof`,
    );
    upsert.run(versionId, revision, proof.provider, proof.rootKeyId, proof.blob);
  }

  /** Where a name passes to another keyId, the old key's versions stay, and its keyId is on record. */
  #putKey(key: PutKey): void {
    if (this.#isUnreadableKey(key)) return;
    this.run(
      `INSERT INTO keys (namespace, name, key_id, enabled, deletion_date) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (namespace, name) DO UPDATE SET
         enabled = excluded.enabled,
         deletion_date = excluded.deletion_date,
         former_key_ids = CASE WHEN key_id = excluded.key_id OR current_version_id IS NULL
           THEN former_key_ids ELSE former_key_ids || ' ' || key_id END,
         current_version_id = CASE WHEN key_id = excluded.key_id THEN current_version_id END,
         current_number = CASE WHEN key_id = excluded.key_id THEN current_number ELSE 0 END,
         key_id = excluded.key_id`,
      key.namespace,
      key.name,
      key.keyId,
      key.enabled ? 1 : 0,
      key.deletionDate ?? null,
    );
  }

  #reclaimKey(name: ObjectName, version: VersionRow): void {
    const row = this.#key(name);
    if (row === undefined)
      throw new ClavigerError("NotFound", `MasterKey ${nameText(name)} is not in the keyring`);
    const former = new Set([...row.formerKeyIds, row.keyId]);
    former.delete(version.keyId);
    this.run(
      `UPDATE keys SET key_id = ?, former_key_ids = ?, current_version_id = ?, current_number = ?, deletion_date = NULL
       WHERE namespace = ? AND name = ?`,
      version.keyId,
      [...former].join(" "),
      version.versionId,
      version.number,
      name.namespace,
      name.name,
    );
  }

  #setCurrent(key: ObjectName, version: VersionRow): void {
    if (this.#isUnreadableKey(key)) return;
    const update = this.#db.prepare(
      `UPDATE keys SET current_version_id = ?, current_number = ?
       WHERE namespace = ? AND name = ? AND key_id = ?
         AND (current_version_id IS NULL OR (current_number, current_version_id) <= (?, ?))`,
    );
    const result = update.run(
      version.versionId,
      version.number,
      key.namespace,
      key.name,
      version.keyId,
      version.number,
      version.versionId,
    );
    if (result.changes === 1) return;
    throw new ClavigerError(
      "Internal",
      `version ${version.number} of ${nameText(key)} cannot become current: the key is another one or is further on already`,
    );
  }
}

const tombstoneIds = (row: UnreadableRow): string[] => {
  const versionId = tombstoneId(row);
  return versionId === undefined ? [] : [versionId];
};

function refuseReturn(alias: AliasRow, target: KeyRow): void {
  const left = leftAt(alias.formerTargets, target);
  if (left === undefined) return;
  throw new ClavigerError(
    "Internal",
    `alias ${nameText(alias)} cannot point back to ${nameText(target)}, which it left at version ${left.number}: a key_id must not return`,
  );
}

/**
 * Makes a keyring under another name and moves it into place: whatever kills this
 * process, the name has a whole one or none, and an empty one was cut off.
 */
function makeKeyring(path: string): void {
  refuseOrphanedLog(path);
  const draft = `${path}.new`;
  rmSync(draft, { force: true });
  closeSync(openSync(draft, "wx", 0o600));
  const db = new DatabaseSync(draft);
  try {
    db.exec("PRAGMA synchronous = FULL");
    migrate(db, path);
  } finally {
    db.close();
  }
  renameSync(draft, path);
  syncFile(dirname(path));
}

/** SQLite would play the log of a keyring that was moved away into the one that is made in its place. */
function refuseOrphanedLog(path: string): void {
  const logs = ["-wal", "-journal"].map((suffix) => path + suffix);
  const orphan = logs.find((log) => (statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 0);
  if (orphan === undefined) return;
  throw new ClavigerError(
    "KeyringCorrupt",
    `${orphan} lies there without its keyring: put the keyring back beside it, or move it away too and keep it`,
  );
}

function openDatabase(path: string): DatabaseSync {
  if (!existsSync(path)) makeKeyring(path);
  const db = new DatabaseSync(path, { timeout: 10_000 });
  try {
    makePrivate(path);
    // secure_delete overwrites what is deleted; WAL with FULL syncs every commit;
    // what VACUUM copies aside stays in memory.
    db.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;" +
        " PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON",
    );
    const check = db.prepare("PRAGMA quick_check(1)").get()?.quick_check;
    if (check !== "ok") {
      throw new ClavigerError(
        "KeyringCorrupt",
        `keyring ${path} is damaged (${String(check).replaceAll(/\s+/g, " ")}): move it away, with its -wal and -shm, and keep it.` +
          " Beside a cluster the operator builds it anew from the API server; standalone, put a backup in its place",
      );
    }
    if (schemaVersion(db, path) === 0) throw emptyKeyring(path);
    migrate(db, path);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function makePrivate(path: string): void {
  try {
    chmodSync(path, 0o600);
  } catch (cause) {
    const text = `keyring ${path} cannot be closed to others: ${messageOf(cause)}`;
    throw new ClavigerError("KeyringUnavailable", text, { cause });
  }
}
