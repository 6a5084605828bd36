import { accessSync, closeSync, constants, existsSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { ClavigerError, messageOf } from "../errors.ts";
import { isLocked } from "./sqlite.ts";

/**
 * A lock that the kernel gives back when its process dies, even by kill -9.
 *
 * Node has no flock; SQLite does, well tested on every platform: an exclusive
 * transaction on an empty database that nobody ever writes.
 */
export class FileLock {
  readonly #db: DatabaseSync;

  private constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /**
   * Takes the lock at `path`. Throws InUse with `message` where somebody has it,
   * KeyringUnavailable where there cannot be a lock. The file stays behind, empty.
   */
  static acquire(path: string, message: string): FileLock {
    let db: DatabaseSync | undefined;
    try {
      makePrivateFile(path);
      db = new DatabaseSync(path, { timeout: 0 });
      // On a file that it may only read, SQLite calls a shared lock exclusive.
      accessSync(path, constants.W_OK);
      db.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
      return new FileLock(db);
    } catch (cause) {
      db?.close();
      if (isLocked(cause)) throw new ClavigerError("InUse", message, { cause });
      throw new ClavigerError("KeyringUnavailable", `${path} cannot be locked: ${messageOf(cause)}`, {
        cause,
      });
    }
  }

  release(): void {
    this.#db.close();
  }
}

/**
 * Makes a file that others cannot open, where there is none: SQLite would go by the umask.
 * One that is there is not opened: closing it would give back a lock that this process has on it.
 */
function makePrivateFile(path: string): void {
  if (existsSync(path)) return;
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    // Another process was faster.
    if (!existsSync(path)) throw error;
  }
}
