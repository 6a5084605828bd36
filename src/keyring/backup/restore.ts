import { lstatSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ClavigerError } from "../../errors.ts";
import { syncFile } from "../../files/sync-file.ts";
import { writePoint } from "../../write-points.ts";
import { KeyringReader } from "../reader.ts";
import type { KeyringImage } from "../rows.ts";
import { KEYRING_FILE, lockStateFolder, STOP_IT_FIRST } from "../state-folder.ts";
import { KeyringWriter } from "../writer.ts";
import { type Backup, encodeBackup } from "./format.ts";
import { planMerge } from "./merge.ts";

const NOTHING: KeyringImage = { versions: [], keys: [], aliases: [], objects: [] };
const DRAFT = "restoring";

/**
 * Creates `stateDir`/keyring.db from a backup, completely or not at all. The caller has checked that every
 * version opens. Throws InUse if there is a keyring or an operator runs, KeyringUnavailable if the file
 * cannot be written.
 */
export function restoreKeyring(stateDir: string, backup: Backup): void {
  const lock = lockStateFolder(stateDir, STOP_IT_FIRST);
  try {
    refuseExisting(stateDir);
    const draft = join(stateDir, DRAFT);
    rmSync(draft, { recursive: true, force: true });
    fill(draft, backup.image);
    const file = join(draft, KEYRING_FILE);
    compare(file, backup);
    syncFile(file);
    writePoint("restore.publish", "before");
    // Under the lock nobody else creates a keyring.
    renameSync(file, join(stateDir, KEYRING_FILE));
    syncFile(stateDir);
    writePoint("restore.publish", "after");
    rmSync(draft, { recursive: true });
  } finally {
    lock.release();
  }
}

/** A leftover log would be replayed into any database next to it. */
function refuseExisting(stateDir: string): void {
  const names = ["", "-wal", "-shm", "-journal"].map((suffix) => join(stateDir, KEYRING_FILE + suffix));
  const path = names.find((name) => lstatSync(name, { throwIfNoEntry: false }) !== undefined);
  if (path === undefined) return;
  throw new ClavigerError(
    "InUse",
    `${path} exists and nothing was changed: run with --merge to add to this keyring what it lacks, or move it away, with its -wal and -shm, and keep it`,
  );
}

function fill(folder: string, image: KeyringImage): void {
  const keyring = KeyringWriter.open(folder);
  try {
    keyring.apply(planMerge(image, NOTHING).changes);
    keyring.transaction(() => {
      for (const object of image.objects) keyring.objects.put(object);
    });
    // Into the main file, which is then renamed.
    keyring.all("PRAGMA wal_checkpoint(TRUNCATE)");
  } finally {
    keyring.close();
  }
}

/** Checks that the file has the contents of the backup, read as the plugin reads it. */
function compare(file: string, backup: Backup): void {
  const reader = KeyringReader.open(file);
  try {
    if (encodeBackup({ ...backup, image: reader.image() }) === encodeBackup(backup)) return;
  } finally {
    reader.close();
  }
  throw new ClavigerError(
    "Internal",
    `what was written to ${file} is not what the backup holds: it is not used`,
  );
}
