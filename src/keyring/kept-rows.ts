import type { UnreadableVersion, VersionRow } from "./rows.ts";
import type { RawRow } from "./sqlite.ts";
import { readOwnership, withOwnership } from "./tables/ownership.ts";
import type { ReadRows } from "./tables/read-rows.ts";
import { readVersionRow } from "./tables/versions.ts";

type Query = (sql: string, ...values: (string | number | null)[]) => RawRow[];
type StoredVersion = { readonly version: VersionRow } | UnreadableVersion;

/** Small tables. All their rows are kept. */
export type Table = "keys" | "aliases" | "tombstones" | "key_policies";

export interface ReadVersions {
  readonly versions: readonly VersionRow[];
  readonly unreadable: readonly UnreadableVersion[];
}

/** After this time everything is read again, so that damage to the file is noticed soon. */
const TRUSTED_MILLISECONDS = 60_000;
/** If more rows than this changed, reading the whole table is faster. */
const MOST_TOUCHED = 1_000;

/**
 * A cache of a keyring's rows. Ten thousand versions take a third of a second to read, and every pass of the
 * operator looks at all of them. Only changed rows are read again: the writer names the rows that it changes
 * (`touch`, `change`), and changes by another connection show in `data_version`.
 */
export class KeptRows {
  readonly #all: Query;
  readonly #now: () => number;
  readonly #tables = new Map<Table, ReadRows<unknown>>();
  /** In the order of `seq`. */
  #versions: Map<string, StoredVersion> | undefined;
  #listed: ReadVersions | undefined;
  #touched = new Set<string>();
  #dataVersion: unknown;
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(all: Query, now = () => performance.now()) {
    this.#all = all;
    this.#now = now;
  }

  /** Call this before a version, or its ownership proof, is written or deleted. */
  touch(versionId: string): void {
    this.#touched.add(versionId);
  }

  /** Call this before any row of a small table is written or deleted. */
  change(table: Table): void {
    this.#tables.delete(table);
  }

  /** Returns all rows of a small table, ordered by some columns. */
  rows<T>(table: Table, order: string, read: (rows: readonly RawRow[]) => ReadRows<T>): ReadRows<T> {
    this.#forgetIfOld();
    const kept = this.#tables.get(table);
    // A table is always read by the same function.
    if (kept !== undefined) return kept as ReadRows<T>;
    const rows = read(this.#all(`SELECT * FROM ${table} ORDER BY ${order}`));
    this.#tables.set(table, rows);
    return rows;
  }

  versions(): ReadVersions {
    const stored = [...this.#stored().values()];
    this.#listed ??= {
      versions: stored.flatMap((row) => ("version" in row ? row.version : [])),
      unreadable: stored.flatMap((row) => ("error" in row ? row : [])),
    };
    return this.#listed;
  }

  #stored(): ReadonlyMap<string, StoredVersion> {
    this.#forgetIfOld();
    if (this.#touched.size > MOST_TOUCHED) this.#versions = undefined;
    if (this.#versions === undefined) {
      this.#versions = this.#read("");
      this.#readAt = this.#now();
      this.#listed = undefined;
    } else for (const versionId of this.#touched) this.#readAgain(versionId, this.#versions);
    this.#touched = new Set();
    return this.#versions;
  }

  /** A version that was just written has the highest `seq`. */
  #readAgain(versionId: string, versions: Map<string, StoredVersion>): void {
    versions.delete(versionId);
    for (const [id, row] of this.#read(" WHERE version_id = ?", versionId)) versions.set(id, row);
    this.#listed = undefined;
  }

  #read(where: string, ...values: string[]): Map<string, StoredVersion> {
    const rows = this.#all(`SELECT * FROM versions${where} ORDER BY seq`, ...values).map(readVersionRow);
    const ownership = readOwnership((sql) => this.#all(sql + where, ...values));
    return new Map(
      rows.map((row): readonly [string, StoredVersion] =>
        "error" in row
          ? [row.versionId, row]
          : [row.version.versionId, { version: withOwnership(row.version, ownership) }],
      ),
    );
  }

  #forgetIfOld(): void {
    const dataVersion = this.#all("PRAGMA data_version")[0]?.data_version;
    if (dataVersion === this.#dataVersion && this.#now() - this.#readAt < TRUSTED_MILLISECONDS) return;
    this.#dataVersion = dataVersion;
    this.#readAt = this.#now();
    this.#versions = undefined;
    this.#listed = undefined;
    this.#tables.clear();
  }
}
