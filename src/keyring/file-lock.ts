import { DatabaseSync } from "node:sqlite";
import { ClavigerError } from "../errors.ts";

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

  /** Takes the lock at `path` or throws InUse with `message`. The file stays behind, empty. */
  static acquire(path: string, message: string): FileLock {
    const db = new DatabaseSync(path, { timeout: 0 });
    try {
      db.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    } catch (cause) {
      db.close();
      throw new ClavigerError("InUse", message, { cause });
    }
    return new FileLock(db);
  }

  release(): void {
    this.#db.close();
  }
}
