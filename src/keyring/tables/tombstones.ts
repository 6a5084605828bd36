import type { KeySpec, KeyUsage, Origin } from "../../crypto/key-specs.ts";
import { ClavigerError } from "../../errors.ts";
import type { KeptTombstone, TombstoneRow, UnreadableRow } from "../rows.ts";
import type { RawRow } from "../sqlite.ts";
import { isVersionNumber } from "../version-number.ts";
import { blob, integer, text } from "./columns.ts";
import { type ReadRows, readRows } from "./read-rows.ts";
import type { Sql } from "./sql.ts";
import { toBinding } from "./versions.ts";

/**
 * A version that a newer release destroyed may be of a kind that this release does not know; nobody uses it
 * any more.
 */
function toTombstone(row: RawRow): KeptTombstone {
  return {
    ...toBinding(row),
    keySpec: text(row, "key_spec") as KeySpec,
    keyUsage: text(row, "key_usage") as KeyUsage,
    origin: text(row, "origin") as Origin,
    destroyedAt: text(row, "destroyed_at"),
    reason: text(row, "reason"),
    proof: {
      provider: text(row, "proof_provider"),
      rootKeyId: text(row, "root_key_id"),
      blob: blob(row, "proof"),
    },
    erased: integer(row, "erased") === 1,
  };
}

/** The name ends with the versionId. */
export const readTombstoneRows = (rows: readonly RawRow[]): ReadRows<KeptTombstone> =>
  readRows(rows, toTombstone, (row) => TOMBSTONE + String(row.version_id));

const TOMBSTONE = "the tombstone of version ";

/** Returns the versionId of an unreadable tombstone. */
export const tombstoneId = ({ name }: UnreadableRow): string | undefined =>
  name.startsWith(TOMBSTONE) ? name.slice(TOMBSTONE.length) : undefined;

/** Removes a version for ever and keeps its tombstone. */
export function destroyVersion(sql: Sql, tombstone: TombstoneRow): void {
  const { versionId, masterKey, proof } = tombstone;
  if (!isVersionNumber(tombstone.number))
    throw new ClavigerError("InvalidArgument", `version ${versionId} has a number that no version has`);
  sql.run("UPDATE keys SET current_version_id = NULL WHERE current_version_id = ?", versionId);
  sql.run("DELETE FROM versions WHERE version_id = ?", versionId);
  sql.run("DELETE FROM ownership WHERE version_id = ?", versionId);
  sql.run(
    `INSERT INTO tombstones
       (version_id, key_id, number, namespace, name, key_spec, key_usage, origin,
        destroyed_at, reason, proof_provider, root_key_id, proof, seq)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(seq), 0) + 1 FROM tombstones))
     ON CONFLICT (version_id) DO NOTHING`,
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
