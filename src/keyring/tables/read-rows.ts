import { ClavigerError, messageOf } from "../../errors.ts";
import type { UnreadableRow } from "../rows.ts";
import type { RawRow } from "../sqlite.ts";

/** The readable rows, and the names of the others. */
export interface ReadRows<T> {
  readonly rows: T[];
  readonly unreadable: UnreadableRow[];
}

/** Reads rows one by one, so that an unreadable row never stops the others. */
export function readRows<T>(
  rows: readonly RawRow[],
  read: (row: RawRow) => T,
  nameOf: (row: RawRow) => string,
): ReadRows<T> {
  const result: ReadRows<T> = { rows: [], unreadable: [] };
  for (const row of rows) {
    try {
      result.rows.push(read(row));
    } catch (cause) {
      const name = nameOf(row);
      const text = `the keyring's row of ${name} cannot be read: ${messageOf(cause)}`;
      result.unreadable.push({ name, error: new ClavigerError("KeyringCorrupt", text, { cause }) });
    }
  }
  return result;
}

/** Names a row by its kind, and NAMESPACE/NAME. */
export const named =
  (kind: string) =>
  (row: RawRow): string =>
    `${kind} ${String(row.namespace)}/${String(row.name)}`;
