import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";

const CHUNK_BYTES = 64 * 1024;

/** The file is larger than its limit. */
export class FileTooLarge extends Error {}

export interface ReadOptions {
  readonly maxBytes: number;
  /** True if a pipe may be read to its end: for a file named on the command line, as with <(…). */
  readonly pipes?: boolean;
}

/**
 * Reads a whole file, following links. A path in a configuration can name anything: a pipe would block the
 * process for ever, opening a device could activate it, and /dev/zero has no end. Throws an Error that says
 * why, without the path.
 */
export function readRegularFile(path: string, options: ReadOptions): Buffer {
  const pipe = options.pipes === true && statSync(path).isFIFO();
  // Checked before it is opened, because of devices, and again once it is open, because it may have been
  // replaced.
  if (!pipe) mustBeRegular(statSync(path));
  const wait = pipe ? 0 : constants.O_NONBLOCK | constants.O_NOCTTY;
  const fd = openSync(path, constants.O_RDONLY | wait);
  try {
    if (!pipe) mustBeRegular(fstatSync(fd));
    return readUpTo(fd, options.maxBytes);
  } finally {
    closeSync(fd);
  }
}

/** Reads a whole file of text in UTF-8, with the same checks. */
export const readRegularText = (path: string, options: ReadOptions): string =>
  readRegularFile(path, options).toString("utf8");

function mustBeRegular(stat: Stats): void {
  if (!stat.isFile()) throw new Error(`it is ${kindOf(stat)} and not a regular file`);
}

function kindOf(stat: Stats): string {
  if (stat.isDirectory()) return "a folder";
  if (stat.isFIFO()) return "a pipe";
  return stat.isSocket() ? "a socket" : "a device";
}

/** Reads to the end and ignores the file's size, which may change meanwhile and is 0 in /proc. */
function readUpTo(fd: number, maxBytes: number): Buffer {
  const chunks: Buffer[] = [];
  let left = maxBytes + 1;
  while (left > 0) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, left));
    const count = readSync(fd, chunk);
    if (count === 0) return Buffer.concat(chunks);
    chunks.push(chunk.subarray(0, count));
    left -= count;
  }
  throw new FileTooLarge(`it has more than ${maxBytes} bytes`);
}
