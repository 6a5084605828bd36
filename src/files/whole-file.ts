import { randomUUID } from "node:crypto";
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  linkSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { ClavigerError, messageOf } from "../errors.ts";
import { syncFile } from "./sync-file.ts";

/**
 * Replaces a file in one step, because its folder is watched. Everybody who could read the file before can
 * read it afterwards: an operator may run as another user. Throws ConfigInvalid.
 */
export function replaceFile(path: string, text: string): void {
  const file = realpathSync(path);
  const { mode, uid, gid } = statSync(file);
  publish(file, text, { mode, uid, gid }, (draft) => renameSync(draft, file));
}

/**
 * Creates a file that contains all of `text` or does not exist. Throws InUse if there is such a file already,
 * ConfigInvalid if it cannot be written.
 */
export function createFile(path: string, text: string, mode: number): void {
  publish(path, text, { mode }, (draft) => linkSync(draft, path));
}

/** Removes a file, for good even if the power fails. Throws ConfigInvalid. */
export function removeFile(path: string): void {
  try {
    rmSync(path, { force: true });
    syncFile(dirname(path));
  } catch (cause) {
    throw new ClavigerError("ConfigInvalid", `${path} cannot be removed: ${messageOf(cause)}`, { cause });
  }
}

interface Owner {
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
}

function publish(file: string, text: string, owner: Owner, appear: (draft: string) => void): void {
  // A name that nobody can have made a link: others may write to the folder, and this process may be root.
  const draft = `${file}.${randomUUID()}`;
  try {
    writeDraft(draft, text, owner);
    appear(draft);
    syncFile(dirname(file));
  } catch (cause) {
    const exists = cause instanceof Error && "code" in cause && cause.code === "EEXIST";
    if (exists) throw new ClavigerError("InUse", `${file} exists already`, { cause });
    throw new ClavigerError("ConfigInvalid", `${file} cannot be written: ${messageOf(cause)}`, { cause });
  } finally {
    rmSync(draft, { force: true });
  }
}

function writeDraft(draft: string, text: string, { mode, uid, gid }: Owner): void {
  const fd = openSync(draft, "wx", 0o600);
  try {
    writeFileSync(fd, text);
    if (process.getuid?.() === 0 && uid !== undefined && gid !== undefined) fchownSync(fd, uid, gid);
    fchmodSync(fd, mode);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
