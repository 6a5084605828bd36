import { statSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ClavigerError, messageOf } from "../errors.ts";
import { readRegularText } from "../files/regular-file.ts";
import { toObservationRow, toRecord } from "./observation-row.ts";
import type { ObservationRow } from "./rows.ts";
import type { RawRow } from "./sqlite.ts";

/**
 * Returns the path of the observations, a file next to the keyring. It is not in the keyring because SQLite
 * waits for the disk on the thread that answers the API server; Node's thread pool writes this file.
 */
export const observationsPath = (keyringPath: string): string =>
  join(dirname(keyringPath), "observations.json");

/**
 * Writes the plugin's observations of its API server. This is the plugin's only write, and never part of an
 * answer. It is not synced: after a power cut a plugin observes again from the beginning. Make one call at a
 * time. Throws KeyringUnavailable if the disk refuses; the caller keeps the rows and retries.
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

/** The largest observations.json that is read. Each provider takes a few hundred bytes of it. */
const MAX_BYTES = 1024 * 1024;

/**
 * Returns the plugin's last observations, or none if no plugin has written any, or a power cut destroyed the
 * file.
 */
export function readObservations(keyringPath: string): ObservationRow[] {
  try {
    return rawRows(readRegularText(observationsPath(keyringPath), { maxBytes: MAX_BYTES })).map(
      toObservationRow,
    );
  } catch (error) {
    // The plugin writes everything in it again at its next start.
    if (error instanceof SyntaxError || error instanceof ClavigerError) return [];
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

/** Returns a text that changes with every write. */
export function observationsStamp(keyringPath: string): string {
  const stat = statSync(observationsPath(keyringPath), { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? "none" : `${stat.ino} ${stat.mtimeNs}`;
}

function rawRows(text: string): RawRow[] {
  const rows: unknown = JSON.parse(text);
  if (!Array.isArray(rows)) return [];
  return rows.map((row: unknown) => Object.fromEntries(Object.entries(row ?? {})));
}
