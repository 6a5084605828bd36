import { randomUUID } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { ClavigerError, messageOf } from "../errors.ts";
import { syncFile } from "../files/sync-file.ts";
import { writePoint } from "../write-points.ts";

/**
 * Creates a file (0600) that contains all of `text` or does not exist, and never replaces a file: the bytes
 * are synced under another name before the name appears. Throws ConfigInvalid if the file exists,
 * KeyringUnavailable if it cannot be written.
 */
export function writeNewFile(path: string, text: string): void {
  const draft = `${path}.${randomUUID()}`;
  try {
    const fd = openSync(draft, "wx", 0o600);
    try {
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    writePoint("backup.publish", "before");
    linkSync(draft, path);
    syncFile(dirname(path));
    writePoint("backup.publish", "after");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") throw existing(path);
    throw new ClavigerError("KeyringUnavailable", `${path} could not be written: ${messageOf(cause)}`, {
      cause,
    });
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Makes the refusal of a path that is taken. */
export const existing = (path: string): ClavigerError =>
  new ClavigerError("ConfigInvalid", `${path} exists and is not written over: choose another name`);
