import type { KeyId } from "../../crypto/ids.ts";
import { parseKeyId, parseVersionId } from "../../crypto/ids.ts";
import { ClavigerError } from "../../errors.ts";
import { nameText, type ObjectName } from "../../names.ts";
import type { PutKey } from "../changes.ts";
import type { KeyRow, VersionRow } from "../rows.ts";
import type { RawRow } from "../sqlite.ts";
import { integer, text, versionNumber } from "./columns.ts";
import { named, type ReadRows, readRows } from "./read-rows.ts";
import type { Sql } from "./sql.ts";

export function toKeyRow(row: RawRow): KeyRow {
  const { current_version_id: current, deletion_date: deletionDate } = row;
  return {
    namespace: text(row, "namespace"),
    name: text(row, "name"),
    keyId: parseKeyId(text(row, "key_id")),
    enabled: integer(row, "enabled") === 1,
    ...(typeof deletionDate === "string" && { deletionDate }),
    formerKeyIds: text(row, "former_key_ids").split(" ").filter(Boolean).map(parseKeyId),
    ...(typeof current === "string" && {
      current: { versionId: parseVersionId(current), number: versionNumber(row, "current_number") },
    }),
  };
}

export const readKeyRows = (rows: readonly RawRow[]): ReadRows<KeyRow> =>
  readRows(rows, toKeyRow, named("MasterKey"));

/** Reads the row of a MasterKey; undefined if there is none, or it cannot be read. */
export const keyOf = (sql: Sql, name: ObjectName): KeyRow | undefined => rowsOf(sql, name).rows[0];

const rowsOf = (sql: Sql, { namespace, name }: ObjectName): ReadRows<KeyRow> =>
  readKeyRows(sql.all("SELECT * FROM keys WHERE namespace = ? AND name = ?", namespace, name));

const isUnreadable = (sql: Sql, name: ObjectName): boolean => rowsOf(sql, name).unreadable.length > 0;

/** If a name passes to another keyId, the old key's versions stay, and its keyId is recorded. */
export function putKey(sql: Sql, key: PutKey): void {
  if (isUnreadable(sql, key)) return;
  sql.run(
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

export function putFormerKeyIds(sql: Sql, { namespace, name }: ObjectName, keyIds: readonly KeyId[]): void {
  if (isUnreadable(sql, { namespace, name })) return;
  sql.run(
    "UPDATE keys SET former_key_ids = ? WHERE namespace = ? AND name = ?",
    keyIds.join(" "),
    namespace,
    name,
  );
}

/** Removes a name from the table, unless it has encrypted. */
export function forgetKey(sql: Sql, { namespace, name }: ObjectName): void {
  if (isUnreadable(sql, { namespace, name })) return;
  sql.run(
    "DELETE FROM keys WHERE namespace = ? AND name = ? AND current_version_id IS NULL AND former_key_ids = ''",
    namespace,
    name,
  );
}

export function reclaimKey(sql: Sql, name: ObjectName, version: VersionRow): void {
  const row = keyOf(sql, name);
  if (row === undefined)
    throw new ClavigerError("NotFound", `MasterKey ${nameText(name)} is not in the keyring`);
  const former = new Set([...row.formerKeyIds, row.keyId]);
  former.delete(version.keyId);
  sql.run(
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

/**
 * Makes a stored version the version that encrypts. Throws Internal if it belongs to another key, or if the
 * key already has a later current version.
 */
export function setCurrent(sql: Sql, key: ObjectName, version: VersionRow): void {
  if (isUnreadable(sql, key)) return;
  const changes = sql.run(
    `UPDATE keys SET current_version_id = ?, current_number = ?
     WHERE namespace = ? AND name = ? AND key_id = ?
       AND (current_version_id IS NULL OR (current_number, current_version_id) <= (?, ?))`,
    version.versionId,
    version.number,
    key.namespace,
    key.name,
    version.keyId,
    version.number,
    version.versionId,
  );
  if (changes === 1) return;
  throw new ClavigerError(
    "Internal",
    `version ${version.number} of ${nameText(key)} cannot become current: the key is another one or is further on already`,
  );
}
