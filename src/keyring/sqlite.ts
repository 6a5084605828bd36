import type { DatabaseSync, SQLInputValue, SQLOutputValue } from "node:sqlite";
import { ClavigerError, messageOf } from "../errors.ts";

/** A row as SQLite returns it. */
export type RawRow = Record<string, SQLOutputValue>;

/**
 * Runs a query. An integer that is no exact number stays a bigint, so that only its row is unreadable: by
 * default node:sqlite throws, and no row of the query is returned.
 */
export function allRows(db: DatabaseSync, sql: string, ...values: readonly SQLInputValue[]): RawRow[] {
  const statement = db.prepare(sql);
  statement.setReadBigInts(true);
  return statement.all(...values).map(withNumbers);
}

/** Changes the row in place, because ten thousand rows are read at once. */
function withNumbers(row: RawRow): RawRow {
  for (const column in row) {
    const value = row[column];
    if (typeof value !== "bigint") continue;
    const number = Number(value);
    if (Number.isSafeInteger(number)) row[column] = number;
  }
  return row;
}

/** SQLite's primary result codes (sqlite.org/rescode.html). Extended codes contain them in the low byte. */
const code = {
  busy: 5,
  locked: 6,
  readOnly: 8,
  io: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
};

/** Runs `work` and converts SQLite's errors into ours, which name the file and the remedy. */
export function withKeyringErrors<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw asKeyringError(path, error);
  }
}

/** Returns true if another process holds the required lock. */
export const isLocked = (error: unknown): boolean => codeOf(error) === code.busy;

/** Returns SQLite's primary result code, if the error is SQLite's. */
const codeOf = (error: unknown): number | undefined =>
  error instanceof Error && "errcode" in error && typeof error.errcode === "number"
    ? error.errcode & 0xff
    : undefined;

function asKeyringError(path: string, error: unknown): unknown {
  const primary = codeOf(error);
  if (primary === undefined) return error;
  const { kind, advice } = explain(primary);
  return new ClavigerError(kind, `keyring ${path}: ${messageOf(error)}${advice}`, { cause: error });
}

interface Explanation {
  readonly kind: "KeyringCorrupt" | "KeyringUnavailable" | "Internal";
  readonly advice: string;
}

function explain(primary: number): Explanation {
  switch (primary) {
    case code.corrupt:
    case code.notADatabase:
      return {
        kind: "KeyringCorrupt",
        advice:
          "; the file is damaged: move it away, with its -wal and -shm, and keep it." +
          " In a cluster the operator builds it again from the API server; standalone, put a backup in its place",
      };
    case code.full:
      return { kind: "KeyringUnavailable", advice: "; make room on its disk, nothing was changed" };
    case code.readOnly:
      return {
        kind: "KeyringUnavailable",
        advice: "; it cannot be written: check its file system and owner",
      };
    case code.busy:
    case code.locked:
    case code.io:
    case code.cannotOpen:
      return { kind: "KeyringUnavailable", advice: "" };
    default:
      return { kind: "Internal", advice: "" };
  }
}
