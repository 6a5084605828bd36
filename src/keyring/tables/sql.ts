import type { SQLInputValue } from "node:sqlite";
import type { RawRow } from "../sqlite.ts";

/** The statements of a keyring that is open for writing. */
export interface Sql {
  /** Runs a statement. Returns how many rows it changed. */
  run(sql: string, ...values: readonly SQLInputValue[]): number;
  /** Returns the rows of a query. */
  all(sql: string, ...values: readonly SQLInputValue[]): RawRow[];
}
