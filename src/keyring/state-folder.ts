import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ClavigerError } from "../errors.ts";
import { flawOfFolder, flawOnTheWay } from "../files/private-path.ts";
import { FileLock } from "./file-lock.ts";

/** The name of the keyring's file in its state folder. */
export const KEYRING_FILE = "keyring.db";

/** What to do if the state folder is in use: for an operator, and for a restore. */
const STOP_IT = "stop it, or give this one a stateDir of its own";
export const STOP_IT_FIRST = "stop it first, and start it again after the restore; plugins need not stop";

/**
 * Creates the folder and takes its lock, whose holder may write `stateDir`. Throws InUse, with the remedy, if
 * another process holds it.
 */
export function lockStateFolder(stateDir: string, remedy = STOP_IT): FileLock {
  makePrivateFolder(stateDir);
  return FileLock.acquire(
    join(stateDir, "operator.lock"),
    `another claviger operator is using ${stateDir}: ${remedy}`,
  );
}

/**
 * Whoever can replace files in the state folder decides which version encrypts and which keys are enabled.
 */
function makePrivateFolder(folder: string): void {
  try {
    refuseReplaceable(folder, flawOnTheWay(folder));
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    refuseReplaceable(folder, flawOfFolder(folder));
  } catch (cause) {
    if (cause instanceof ClavigerError) throw cause;
    throw new ClavigerError("KeyringUnavailable", `state folder ${folder} cannot be made: ${String(cause)}`, {
      cause,
    });
  }
}

/** Throws KeyringUnavailable if another user could replace the state folder or files in it. */
export function refuseReplaceable(folder: string, flaw: string | undefined): void {
  if (flaw !== undefined) throw new ClavigerError("KeyringUnavailable", `state folder ${folder}: ${flaw}`);
}
