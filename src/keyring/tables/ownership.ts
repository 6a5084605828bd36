import type { Ownership } from "../../seal/ownership.ts";
import type { VersionRow } from "../rows.ts";
import type { RawRow } from "../sqlite.ts";
import { blob, integer, text } from "./columns.ts";
import type { Sql } from "./sql.ts";

export function toOwnership(row: RawRow): Ownership {
  return {
    revision: integer(row, "revision"),
    proof: {
      provider: text(row, "proof_provider"),
      rootKeyId: text(row, "root_key_id"),
      blob: blob(row, "proof"),
    },
  };
}

export function putOwnership(sql: Sql, versionId: string, { revision, proof }: Ownership): void {
  sql.run(
    `INSERT INTO ownership (version_id, revision, proof_provider, root_key_id, proof) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (version_id) DO UPDATE SET
       revision = excluded.revision, proof_provider = excluded.proof_provider,
       root_key_id = excluded.root_key_id, proof = excluded.proof`,
    ...[versionId, revision, proof.provider, proof.rootKeyId, proof.blob],
  );
}

/**
 * Reads the ownership proofs of a keyring, by versionId. An unreadable proof counts as missing, and is
 * created again.
 */
export function readOwnership(all: (sql: string) => RawRow[]): ReadonlyMap<string, Ownership> {
  const rows = all("SELECT * FROM ownership");
  return new Map(
    rows.flatMap((row) => {
      const ownership = readable(row);
      return ownership === undefined ? [] : [[String(row.version_id), ownership] as const];
    }),
  );
}

function readable(row: RawRow): Ownership | undefined {
  try {
    return toOwnership(row);
  } catch {
    return undefined;
  }
}

/** Returns a version with its proof, if the keyring has one. */
export function withOwnership(version: VersionRow, known: ReadonlyMap<string, Ownership>): VersionRow {
  const ownership = known.get(version.versionId);
  return ownership === undefined ? version : { ...version, ownership };
}
