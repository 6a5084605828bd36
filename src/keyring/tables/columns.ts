import { ClavigerError } from "../../errors.ts";
import type { RawRow } from "../sqlite.ts";
import { isVersionNumber } from "../version-number.ts";

/*
 * Each function reads one column of a row and checks what it reads: a damaged value is a
 * KeyringCorrupt error, never a wrong key.
 */

/** Reads a text that has to fit into a KeyServer. */
export function shortText(row: RawRow, column: string, maxLength: number): string {
  const value = text(row, column);
  if (value.length > maxLength) throw damaged(column);
  return value;
}

export function count(row: RawRow, column: string): number {
  const value = integer(row, column);
  if (!Number.isSafeInteger(value) || value < 0) throw damaged(column);
  return value;
}

export function text(row: RawRow, column: string): string {
  const value = row[column];
  if (typeof value !== "string") throw damaged(column);
  return value;
}

export function integer(row: RawRow, column: string): number {
  const value = row[column];
  if (typeof value !== "number") throw damaged(column);
  return value;
}

export function versionNumber(row: RawRow, column: string): number {
  const value = row[column];
  if (!isVersionNumber(value)) throw damaged(column);
  return value;
}

export function blob(row: RawRow, column: string): Uint8Array {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw damaged(column);
  return value;
}

export function oneOf<T extends string>(row: RawRow, column: string, allowed: readonly T[]): T {
  const value = allowed.find((candidate) => candidate === row[column]);
  if (value === undefined) throw damaged(column);
  return value;
}

export const damaged = (column: string): ClavigerError =>
  new ClavigerError("KeyringCorrupt", `the keyring holds a value of column ${column} that it never wrote`);
