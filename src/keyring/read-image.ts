import type { Ownership } from "../seal/ownership.ts";
import type { KeyRow, KeyringImage, UnreadableRow } from "./rows.ts";
import type { RawRow } from "./sqlite.ts";
import { readAliasRows } from "./tables/aliases.ts";
import { readKeyRows } from "./tables/keys.ts";
import { readObjectRows } from "./tables/objects.ts";
import { withOwnership } from "./tables/ownership.ts";
import { readVersionRow } from "./tables/versions.ts";

/** All readable rows of a keyring, and the names of the others. */
export interface ReadImage {
  readonly image: KeyringImage;
  readonly unreadable: readonly UnreadableRow[];
}

/**
 * Reads everything except unreadable rows. A key whose current version is unreadable has none. `all` must
 * read as of one moment.
 */
export function readImage(
  all: (sql: string) => RawRow[],
  ownership: ReadonlyMap<string, Ownership>,
): ReadImage {
  const versions = all("SELECT * FROM versions ORDER BY seq").map(readVersionRow);
  const keys = readKeyRows(all("SELECT * FROM keys ORDER BY namespace, name"));
  const aliases = readAliasRows(all("SELECT * FROM aliases ORDER BY namespace, name"));
  const objects = readObjectRows(all("SELECT * FROM objects ORDER BY kind, namespace, name"));
  const lost = new Set(versions.flatMap((row) => ("error" in row ? row.versionId : [])));
  return {
    image: {
      versions: versions.flatMap((row) => ("version" in row ? withOwnership(row.version, ownership) : [])),
      keys: keys.rows.map((key) => withoutCurrent(key, lost)),
      aliases: aliases.rows,
      objects: objects.rows,
    },
    unreadable: [
      ...versions.flatMap((row) =>
        "error" in row ? { name: `version ${row.versionId}`, error: row.error } : [],
      ),
      ...[keys, aliases, objects].flatMap(({ unreadable }) => unreadable),
    ],
  };
}

function withoutCurrent(key: KeyRow, lost: ReadonlySet<string>): KeyRow {
  const { current, ...rest } = key;
  return current !== undefined && lost.has(current.versionId) ? rest : key;
}
