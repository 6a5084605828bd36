import { accessSync, closeSync, constants, existsSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { ClavigerError, messageOf } from "../errors.ts";
import { isLocked } from "./sqlite.ts";

/**
 * A lock that the kernel releases when its process dies, even by kill -9.
 *
 * Node has no flock, but SQLite has locks that are well tested on every platform: this is an exclusive
 * transaction on an empty database that nobody ever writes.
 */
export class FileLock {
  readonly #db: DatabaseSync;

  private constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /**
   * Takes the lock at `path`. Throws InUse with `message` if another process holds it, KeyringUnavailable if
   * there cannot be a lock. The file stays behind, empty.
   */
  static acquire(path: string, message: string): FileLock {
    let db: DatabaseSync | undefined;
    try {
      makePrivateFile(path);
      db = new DatabaseSync(path, { timeout: 0 });
      // On a read-only file, SQLite takes only a shared lock and calls it exclusive.
      accessSync(path, constants.W_OK);
      db.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
      return new FileLock(db);
    } catch (cause) {
      db?.close();
      if (isLocked(cause)) throw new ClavigerError("InUse", message, { cause });
      throw cannotLock(path, cause);
    }
  }

  release(): void {
    this.#db.close();
  }
}

/** A lock that processes take in turn, each for some milliseconds. Another process's death releases it. */
export class TurnLock {
  readonly #db: DatabaseSync;
  readonly #path: string;

  private constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
  }

  /** Opens the lock at `path`, and makes its file if there is none. Throws KeyringUnavailable. */
  static open(path: string, waitMilliseconds: number): TurnLock {
    try {
      makePrivateFile(path);
      accessSync(path, constants.W_OK);
      const db = new DatabaseSync(path, { timeout: waitMilliseconds });
      db.exec("PRAGMA journal_mode = MEMORY");
      return new TurnLock(db, path);
    } catch (cause) {
      throw cannotLock(path, cause);
    }
  }

  /** Does the work while no other process does. Throws InUse if others do not end in time, KeyringUnavailable. */
  during<T>(work: () => T): T {
    try {
      this.#db.exec("BEGIN EXCLUSIVE");
    } catch (cause) {
      if (isLocked(cause))
        throw new ClavigerError("InUse", `${this.#path} is held by another process`, { cause });
      throw cannotLock(this.#path, cause);
    }
    try {
      return work();
    } finally {
      this.#db.exec("COMMIT");
    }
  }

  close(): void {
    this.#db.close();
  }
}

const cannotLock = (path: string, cause: unknown): ClavigerError =>
  new ClavigerError("KeyringUnavailable", `${path} cannot be locked: ${messageOf(cause)}`, { cause });

/**
 * Creates a file that others cannot open, if there is none: SQLite would use the umask. An existing file is
 * not opened, because closing it would release a lock that this process has on it.
 */
function makePrivateFile(path: string): void {
  if (existsSync(path)) return;
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    // Another process created it first.
    if (!existsSync(path)) throw error;
  }
}
