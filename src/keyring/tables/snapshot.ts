import { nameText, type ObjectName } from "../../names.ts";
import type { AliasRow, KeyRow, UnreadableRow } from "../rows.ts";
import type { RawRow } from "../sqlite.ts";
import { readAliasRows } from "./aliases.ts";
import { readKeyRows } from "./keys.ts";
import type { ReadRows } from "./read-rows.ts";
import { toRemovedAlias } from "./removed-aliases.ts";
import { servedImportText, toServedImport } from "./served-imports.ts";
import {
  type FollowedTable,
  isUnchanged,
  SELECT_CHANGES,
  type TableChanges,
  toTableChanges,
} from "./table-changes.ts";
import { type OperatorTime, toOperatorTime } from "./waiting-periods.ts";

/** The small tables, all as of one moment. */
export interface KeyringSnapshot {
  /** By NAMESPACE/NAME. */
  readonly keys: ReadonlyMap<string, KeyRow>;
  readonly unreadableKeys: readonly UnreadableRow[];
  /** By NAMESPACE/NAME. */
  readonly aliases: ReadonlyMap<string, AliasRow>;
  readonly unreadableAliases: readonly UnreadableRow[];
  /** The operator's record of time; undefined if there is none yet, or the operator is of an older release. */
  readonly time: OperatorTime | undefined;
  /** What was served through aliases (servedImportText); older keyrings do not have it. */
  readonly servedImports: ReadonlySet<string> | undefined;
  /** Aliases whose KeyAlias is gone, by NAMESPACE/NAME; older keyrings do not have it. */
  readonly removedAliases: ReadonlySet<string> | undefined;
  /** The kinds of which the keyring has had all objects once; older keyrings do not have it. */
  readonly followedKinds: ReadonlySet<string> | undefined;
  /** How often each table had been written; empty in the file of an older release. */
  readonly changes: TableChanges;
}

interface Tables {
  all(sql: string): RawRow[];
  /** Returns false for a table that an older release does not have. */
  has(table: string): boolean;
}

/**
 * Reads the small tables. A table that has not changed since `former`, a snapshot of the same file, is taken from
 * there: ten thousand keys take tens of milliseconds to read. `tables` must read as of one moment.
 */
export function readSnapshot(tables: Tables, former?: KeyringSnapshot): KeyringSnapshot {
  const changes = tables.has("table_changes")
    ? toTableChanges(tables.all(SELECT_CHANGES))
    : new Map<string, number>();
  const kept: Kept = (table, of, read) => {
    if (former !== undefined && isUnchanged(table, former.changes, changes)) return of(former);
    return read(tables.all(`SELECT * FROM ${table}`));
  };
  return { changes, ...namedRows(kept), ...laterTables(kept, tables) };
}

/** Returns the part `of` a former snapshot if a table has not changed, or else what `read` makes of its rows. */
type Kept = <T>(table: FollowedTable, of: (former: KeyringSnapshot) => T, read: (rows: RawRow[]) => T) => T;

function namedRows(kept: Kept) {
  const keys = kept(
    "keys",
    (former) => ({ rows: former.keys, unreadable: former.unreadableKeys }),
    (rows) => byName(readKeyRows(rows)),
  );
  const aliases = kept(
    "aliases",
    (former) => ({ rows: former.aliases, unreadable: former.unreadableAliases }),
    (rows) => byName(readAliasRows(rows)),
  );
  return {
    keys: keys.rows,
    unreadableKeys: keys.unreadable,
    aliases: aliases.rows,
    unreadableAliases: aliases.unreadable,
  };
}

/** Reads the tables that the file of an older release does not have. */
function laterTables(kept: Kept, { has }: Tables) {
  return {
    time: has("operator_time")
      ? kept(
          "operator_time",
          ({ time }) => time,
          (rows) => rows.map(toOperatorTime)[0],
        )
      : undefined,
    servedImports: has("served_imports")
      ? kept(
          "served_imports",
          ({ servedImports }) => servedImports,
          (rows) => new Set(rows.map(toServedImport).map(servedImportText)),
        )
      : undefined,
    removedAliases: has("removed_aliases")
      ? kept(
          "removed_aliases",
          ({ removedAliases }) => removedAliases,
          (rows) => new Set(rows.map(toRemovedAlias).map(nameText)),
        )
      : undefined,
    followedKinds: has("followed_kinds")
      ? kept(
          "followed_kinds",
          ({ followedKinds }) => followedKinds,
          (rows) => new Set(rows.map(({ kind }) => String(kind))),
        )
      : undefined,
  };
}

const byName = <T extends ObjectName>({ rows, unreadable }: ReadRows<T>) => ({
  rows: new Map(rows.map((row) => [nameText(row), row])) as ReadonlyMap<string, T>,
  unreadable: unreadable as readonly UnreadableRow[],
});
