import { parsedJson } from "../../json.ts";
import type { ObjectRow } from "../rows.ts";
import type { RawRow } from "../sqlite.ts";
import { damaged, text } from "./columns.ts";
import { named, type ReadRows, readRows } from "./read-rows.ts";
import type { Sql } from "./sql.ts";

export function toObjectRow(row: RawRow): ObjectRow {
  const json = text(row, "json");
  if (!isJson(json)) throw damaged("json");
  return { kind: text(row, "kind"), namespace: text(row, "namespace"), name: text(row, "name"), json };
}

const isJson = (text: string): boolean => typeof parsedJson(text) === "object";

export const readObjectRows = (rows: readonly RawRow[]): ReadRows<ObjectRow> =>
  readRows(rows, toObjectRow, (row) => named(String(row.kind))(row));

/** The custom resources of standalone mode, which the keyring's file keeps too. */
export class ObjectTable {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Returns all objects and the rows that cannot be read, in order. */
  read(): ReadRows<ObjectRow> {
    return readObjectRows(this.#sql.all("SELECT * FROM objects ORDER BY kind, namespace, name"));
  }

  /** Stores an object, in place of the former one of its name. */
  put({ kind, namespace, name, json }: ObjectRow): void {
    this.#sql.run(
      "INSERT INTO objects VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET json = excluded.json",
      ...[kind, namespace, name, json],
    );
  }

  remove({ kind, namespace, name }: Omit<ObjectRow, "json">): void {
    this.#sql.run(
      "DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?",
      ...[kind, namespace, name],
    );
  }
}
