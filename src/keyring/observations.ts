import { statSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ClavigerError, messageOf } from "../errors.ts";
import { readRegularText } from "../files/regular-file.ts";
import { toObservationRow, toRecord } from "./observation-row.ts";
import type { ObservationRow } from "./rows.ts";
import type { RawRow } from "./sqlite.ts";

/**
 * A file of its own beside the keyring: SQLite waits for the disk on the thread that
 * answers the API server, and this file is written by Node's thread pool.
 */
export const observationsPath = (keyringPath: string): string =>
  join(dirname(keyringPath), "observations.json");

/**
 * Writes what the plugin saw of its API server: its only write, never on the way of
 * an answer. Not synced: a plugin begins anew after a power cut, and writes again.
 * One call at a time. Throws KeyringUnavailable where the disk refuses; the caller
 * keeps the rows and tries again.
 */
export async function writeObservations(keyringPath: string, rows: readonly ObservationRow[]): Promise<void> {
  const path = observationsPath(keyringPath);
  const draft = `${path}.new`;
  try {
    await writeFile(draft, JSON.stringify(rows.map(toRecord)), { mode: 0o600 });
    await rename(draft, path);
  } catch (cause) {
    const text = `${path} cannot be written: ${messageOf(cause)}; look at its disk and its folder's owner`;
    throw new ClavigerError("KeyringUnavailable", text, { cause });
  }
}

/** Some hundred bytes a provider. */
const MAX_BYTES = 1024 * 1024;

/** What the plugin saw last; nothing where none has written, or a power cut took the file. */
export function readObservations(keyringPath: string): ObservationRow[] {
  try {
    return rawRows(readRegularText(observationsPath(keyringPath), { maxBytes: MAX_BYTES })).map(
      toObservationRow,
    );
  } catch (error) {
    // It holds nothing that the plugin does not write again at its next start.
    if (error instanceof SyntaxError || error instanceof ClavigerError) return [];
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

/** Changes with every write. */
export function observationsStamp(keyringPath: string): string {
  const stat = statSync(observationsPath(keyringPath), { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? "none" : `${stat.ino} ${stat.mtimeNs}`;
}

function rawRows(text: string): RawRow[] {
  const rows: unknown = JSON.parse(text);
  if (!Array.isArray(rows)) return [];
  return rows.map((row: unknown) => Object.fromEntries(Object.entries(row ?? {})));
}
