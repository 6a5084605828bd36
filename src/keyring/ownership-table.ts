import type { Ownership } from "../seal/ownership.ts";
import { toOwnership } from "./codec.ts";
import type { VersionRow } from "./rows.ts";
import type { RawRow } from "./sqlite.ts";

/** The ownership proofs of a keyring, by versionId. A proof that cannot be read counts as none: it is made again. */
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

/** A version with its proof, if the keyring has one. */
export function withOwnership(version: VersionRow, known: ReadonlyMap<string, Ownership>): VersionRow {
  const ownership = known.get(version.versionId);
  return ownership === undefined ? version : { ...version, ownership };
}
