import { accessSync, constants, lstatSync, readlinkSync, type Stats } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { printable } from "../printable.ts";

const ROOT = 0;
const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;
/** The number of links that Linux follows in a path (path_resolution(7)). */
const MAX_LINKS = 40;

export interface WayOptions {
  /**
   * True if a folder may be writable by others when its file system is mounted read-only, as a ConfigMap's
   * volume is.
   */
  readonly readOnlyMounts?: boolean;
}

/**
 * Returns the reason why another user could replace the file or folder at `path`, and the command that fixes
 * it, or undefined if there is none. Walks from / and follows links as the kernel does: every folder that
 * contains a name of the path, a link's too, must belong to root or to our effective user and must not be
 * writable by its group or by others. In a folder with the sticky bit (/tmp) a name is safe if it belongs to
 * root or to our user.
 *
 * If the path ends early, only the existing part is checked: call this again after creating the rest. Throws
 * the system's error if the path cannot be inspected.
 */
export function flawOnTheWay(path: string, options: WayOptions = {}): string | undefined {
  const user = process.geteuid?.();
  // Windows has no owners of this kind.
  return user === undefined ? undefined : walk(resolve(path), user, options).flaw;
}

/**
 * Returns the same for a folder whose own contents must be safe too: a sticky bit on the folder itself does
 * not help.
 */
export function flawOfFolder(folder: string): string | undefined {
  const user = process.geteuid?.();
  if (user === undefined) return undefined;
  const { flaw, end } = walk(resolve(folder), user, {});
  if (flaw !== undefined) return flaw;
  const stat = lstatSync(end, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  return foreignOwner(end, stat, user) ?? (isWritableByOthers(stat) ? writable(end, stat) : undefined);
}

interface Way {
  readonly flaw?: string;
  /** The last existing name of the path, without links. */
  readonly end: string;
}

function walk(path: string, user: number, options: WayOptions): Way {
  const names = namesOf(path);
  let folder = "/";
  let links = 0;
  for (let name = names.pop(); name !== undefined; name = names.pop()) {
    if (name === "..") {
      folder = dirname(folder);
      continue;
    }
    const entry = join(folder, name);
    const stat = lstatSync(entry, { throwIfNoEntry: false });
    const flaw = flawOfStep({ folder, entry, stat, user, options });
    if (flaw !== undefined) return { flaw, end: entry };
    if (stat === undefined) return { end: entry };
    if (!stat.isSymbolicLink()) {
      folder = entry;
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) return { flaw: `${printable(entry)} is a link that leads to itself`, end: entry };
    const target = readlinkSync(entry);
    if (isAbsolute(target)) folder = "/";
    names.push(...namesOf(target));
  }
  return { end: folder };
}

/**
 * Returns the names of a path, the last one first. `..` is kept, because it leads out of the folder that a
 * link leads to.
 */
const namesOf = (path: string): string[] =>
  path
    .split("/")
    .filter((name) => name !== "" && name !== ".")
    .reverse();

interface Step {
  readonly folder: string;
  readonly entry: string;
  /** The stat of the entry; undefined if it is missing. */
  readonly stat: Stats | undefined;
  readonly user: number;
  readonly options: WayOptions;
}

function flawOfStep({ folder, entry, stat, user, options }: Step): string | undefined {
  const inFolder = lstatSync(folder);
  const foreign = foreignOwner(folder, inFolder, user);
  if (foreign !== undefined || !isWritableByOthers(inFolder)) return foreign;
  if (options.readOnlyMounts === true && isMountedReadOnly(folder)) return undefined;
  if ((inFolder.mode & STICKY) === 0) return writable(folder, inFolder);
  if (stat === undefined || isTrusted(stat, user)) return undefined;
  return `${printable(entry)} (mode ${octal(stat)}) belongs to user ${stat.uid}, who can replace it; ${chown(entry, user)}`;
}

const isTrusted = ({ uid }: Stats, user: number): boolean => uid === ROOT || uid === user;

/** Returns true if its group or others may write to it. */
export const isWritableByOthers = ({ mode }: Pick<Stats, "mode">): boolean =>
  (mode & WRITABLE_BY_OTHERS) !== 0;

function foreignOwner(folder: string, stat: Stats, user: number): string | undefined {
  if (isTrusted(stat, user)) return undefined;
  return `folder ${printable(folder)} (mode ${octal(stat)}) belongs to user ${stat.uid}, who can replace what lies in it; ${chown(folder, user)}`;
}

const writable = (folder: string, stat: Stats): string =>
  `folder ${printable(folder)} of user ${stat.uid} has mode ${octal(stat)}, and others can replace what lies in it; run: chmod go-w ${shellWord(folder)}`;

const chown = (path: string, user: number): string =>
  `run: chown -h ${user} ${shellWord(path)} (or choose a place of which all folders belong to root${user === ROOT ? "" : ` or user ${user}`})`;

/** True even for root: access(2) fails with EROFS before it looks at modes. */
function isMountedReadOnly(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EROFS";
  }
}

/** Formats a mode as chmod does. */
export const octal = ({ mode }: Pick<Stats, "mode">): string =>
  `0${(mode & 0o7777).toString(8).padStart(3, "0")}`;

/** A link may lead to a folder whose name is a command, and the advice is pasted into a root shell. */
const shellWord = (path: string): string =>
  /^[\w./:@+-]+$/.test(path) ? path : `'${printable(path).replaceAll("'", `'\\''`)}'`;
