import { chmodSync, closeSync, existsSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ClavigerError, messageOf } from "../errors.ts";
import { syncFile } from "../files/sync-file.ts";
import { emptyKeyring, migrate, schemaVersion } from "./schema.ts";

/**
 * Creates a keyring under another name and moves it into place. Whatever kills this process, the name has a
 * complete keyring or none, so an empty file was truncated.
 */
function makeKeyring(path: string): void {
  refuseOrphanedLog(path);
  const draft = `${path}.new`;
  rmSync(draft, { force: true });
  closeSync(openSync(draft, "wx", 0o600));
  const db = new DatabaseSync(draft);
  try {
    db.exec("PRAGMA synchronous = FULL");
    migrate(db, path);
  } finally {
    db.close();
  }
  renameSync(draft, path);
  syncFile(dirname(path));
}

/**
 * SQLite would replay the log of a keyring that was moved away into the keyring that is created in its place.
 */
function refuseOrphanedLog(path: string): void {
  const logs = ["-wal", "-journal"].map((suffix) => path + suffix);
  const orphan = logs.find((log) => (statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 0);
  if (orphan === undefined) return;
  throw new ClavigerError(
    "KeyringCorrupt",
    `${orphan} lies there without its keyring: put the keyring back beside it, or move it away too and keep it`,
  );
}

/** Opens a keyring for writing, or makes it. Throws KeyringCorrupt if it is damaged, KeyringUnavailable if it cannot be written. */
export function openDatabase(path: string): DatabaseSync {
  if (!existsSync(path)) makeKeyring(path);
  const db = new DatabaseSync(path, { timeout: 10_000 });
  try {
    makePrivate(path);
    // secure_delete overwrites deleted rows; WAL with FULL syncs every commit; VACUUM keeps its temporary
    // copy in memory.
    db.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;" +
        " PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON",
    );
    const check = db.prepare("PRAGMA quick_check(1)").get()?.quick_check;
    if (check !== "ok") {
      throw new ClavigerError(
        "KeyringCorrupt",
        `keyring ${path} is damaged (${String(check).replaceAll(/\s+/g, " ")}): move it away, with its -wal and -shm, and keep it.` +
          " In a cluster the operator builds it again from the API server; standalone, put a backup in its place",
      );
    }
    if (schemaVersion(db, path) === 0) throw emptyKeyring(path);
    migrate(db, path);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function makePrivate(path: string): void {
  try {
    chmodSync(path, 0o600);
  } catch (cause) {
    const text = `keyring ${path} cannot be closed to others: ${messageOf(cause)}`;
    throw new ClavigerError("KeyringUnavailable", text, { cause });
  }
}
