import type { RawRow } from "../sqlite.ts";

/** The tables that plugins and APIs keep in memory, apart from `grants`, which they follow by its `seq`. */
export const FOLLOWED_TABLES = [
  "keys",
  "aliases",
  "operator_time",
  "served_imports",
  "removed_aliases",
  "followed_kinds",
  "versions",
  "tombstones",
] as const;

export type FollowedTable = (typeof FOLLOWED_TABLES)[number];

/** How often rows of each table were written, by the table's name; none of a file without these counts. */
export type TableChanges = ReadonlyMap<string, number>;

const EVENTS = ["INSERT", "UPDATE", "DELETE"] as const;

/**
 * Counts the changes of each followed table within their transactions. Triggers do it, so that a release that
 * does not know the counts keeps them right, and so does whoever edits the file by hand.
 */
export const COUNT_CHANGES = `
  CREATE TABLE IF NOT EXISTS table_changes (
    name    TEXT PRIMARY KEY,
    changes INTEGER NOT NULL
  ) STRICT;
  ${FOLLOWED_TABLES.map(counted).join("")}
`;

function counted(table: FollowedTable): string {
  const triggers = EVENTS.map(
    (event) => `
  CREATE TRIGGER IF NOT EXISTS count_${event.toLowerCase()}_${table} AFTER ${event} ON ${table} BEGIN
    UPDATE table_changes SET changes = changes + 1 WHERE name = '${table}';
  END;`,
  );
  return `
  INSERT OR IGNORE INTO table_changes VALUES ('${table}', 0);${triggers.join("")}`;
}

/** The count of a table that is not there says nothing about the table that may be created later. */
export const SELECT_CHANGES =
  "SELECT * FROM table_changes WHERE name IN (SELECT name FROM sqlite_master WHERE type = 'table')";

/** A row that cannot be read says nothing: its table is read again with every commit. */
export const toTableChanges = (rows: readonly RawRow[]): TableChanges =>
  new Map(
    rows.flatMap(({ name, changes }): (readonly [string, number])[] =>
      typeof name === "string" && typeof changes === "number" ? [[name, changes]] : [],
    ),
  );

/** Returns true if a table has the rows that it had before. Without counts it may have others. */
export function isUnchanged(
  table: FollowedTable,
  before: TableChanges | undefined,
  now: TableChanges,
): boolean {
  const changes = now.get(table);
  return changes !== undefined && changes === before?.get(table);
}

/** Returns the tables that may have other rows than before. */
export const changedTables = (
  before: TableChanges | undefined,
  now: TableChanges,
): ReadonlySet<FollowedTable> => new Set(FOLLOWED_TABLES.filter((table) => !isUnchanged(table, before, now)));
