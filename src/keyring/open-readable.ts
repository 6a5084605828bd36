import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { isLocked } from "./sqlite.ts";

/** In the plugin a call waits for this, and the plugin soon retries. */
const BUSY_MILLISECONDS = 100;

/** A keyring that is open for reading. */
export interface Opened {
  readonly db: DatabaseSync;
  /** How the file looked when it was opened, if it is read as a file that nobody writes. */
  readonly frozen?: string;
}

/**
 * Opens a keyring for reading.
 *
 * A WAL database needs its -shm file, which cannot be created on a read-only disk. If the log is empty the
 * database file is complete, and `immutable` reads it without the -shm file: a broken disk must not keep a
 * node from decrypting. SQLite does not notice changes of such a file, so this code checks for them.
 */
export function openReadable(path: string): Opened {
  const frozen = appearance(path);
  const db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_MILLISECONDS });
  try {
    db.prepare("PRAGMA user_version").get();
    return { db };
  } catch (error) {
    db.close();
    if (isLocked(error) || (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) throw error;
    const url = pathToFileURL(path);
    url.searchParams.set("immutable", "1");
    return { db: new DatabaseSync(url, { readOnly: true }), frozen };
  }
}

/** Returns a text that changes when the database or its log is written or replaced. */
export function appearance(path: string): string {
  return [path, `${path}-wal`]
    .map((name) => {
      const stat = statSync(name, { throwIfNoEntry: false, bigint: true });
      return stat === undefined ? "none" : `${stat.ino} ${stat.size} ${stat.mtimeNs}`;
    })
    .join(", ");
}
