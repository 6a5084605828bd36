import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";

const SQLITE_BUSY = 5;

/**
 * Runs `action` while no other process (or caller in this one) holds the lock of that name. Calls `onWait`
 * once if somebody else holds it now. The lock is SQLite's on an empty database: the kernel releases it when
 * its holder dies.
 */
export async function withLock<T>(file: string, action: () => Promise<T>, onWait?: () => void): Promise<T> {
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    for (let attempt = 0; !tryLock(database); attempt += 1) {
      if (attempt === 0) onWait?.();
      await sleep(200);
    }
    return await action();
  } finally {
    database.close();
  }
}

function tryLock(database: DatabaseSync): boolean {
  try {
    database.exec("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if (error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY) return false;
    throw error;
  }
}
