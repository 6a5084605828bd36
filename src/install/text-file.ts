import { randomUUID } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { ClavigerError, messageOf } from "../errors.ts";
import { readRegularText } from "../files/regular-file.ts";
import { syncFile } from "../files/sync-file.ts";

/** A manifest of an API server or a list of definitions is far smaller. */
const MAX_BYTES = 1024 * 1024;

/** Returns true if there is anything at a path. */
export const exists = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;

/** Returns the text of a file, or undefined if there is none. Throws if it cannot be read. */
export function textOf(path: string): string | undefined {
  if (!exists(path)) return undefined;
  try {
    return readRegularText(path, { maxBytes: MAX_BYTES });
  } catch (cause) {
    throw new ClavigerError("InvalidArgument", `${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/**
 * Replaces a file at once: whoever reads it sees all of the old text or all of the new text. The draft's name
 * begins with a dot, so that the kubelet ignores it in its folder of manifests.
 */
export function writeText(path: string, text: string, mode: number): void {
  const draft = join(dirname(path), `.claviger-${randomUUID()}`);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const fd = openSync(draft, "wx", mode);
    try {
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, path);
    syncFile(dirname(path));
  } catch (cause) {
    throw new ClavigerError("InvalidArgument", `${path} cannot be written: ${messageOf(cause)}`, { cause });
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Removes a file. It is no failure if there is none. */
export function removeFile(path: string): void {
  rmSync(path, { force: true });
  if (exists(dirname(path))) syncFile(dirname(path));
}
