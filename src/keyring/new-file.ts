import { randomUUID } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { ClavigerError, messageOf } from "../errors.ts";
import { writePoint } from "../write-points.ts";

/**
 * Makes a file (0600) that holds `text` or is not there at all, and never
 * replaces one: the bytes are synced under another name before the name appears.
 * Throws ConfigInvalid where the file exists, KeyringUnavailable where it cannot be written.
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

/** The refusal of a path that is taken. */
export const existing = (path: string): ClavigerError =>
  new ClavigerError("ConfigInvalid", `${path} exists and is not written over: choose another name`);

/** Brings a file to disk; or a folder, without which a new name in it is not safe from a power cut. */
export function syncFile(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
