import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { syncFile } from "../../files/sync-file.ts";
import { HASH_BYTES } from "../tree/hashes.ts";
import { blocksOf } from "./line-splitter.ts";
import type { LogPaths } from "./log-paths.ts";

/** Only claviger's own user reads and writes the log. */
const MODE = 0o600;
const APPEND = "a+";

/** The open files of a log. All calls are synchronous: they are made on a thread of their own. */
export class LogFiles {
  readonly paths: LogPaths;
  #lines: number | undefined;
  #leaves: number | undefined;

  constructor(paths: LogPaths) {
    this.paths = paths;
  }

  /** Opens files again that were removed or replaced. */
  refresh(): void {
    if (this.#lines !== undefined && !isAt(this.paths.lines, this.#lines)) this.forgetLines();
    if (this.#leaves !== undefined && !isAt(this.paths.leaves, this.#leaves)) this.#forgetLeaves();
  }

  /** The inode and the length of the file of the newest lines; undefined if there is none. */
  get linesFile(): { readonly inode: number; readonly bytes: number } | undefined {
    const stat = statSync(this.paths.lines, { throwIfNoEntry: false });
    return stat && { inode: stat.ino, bytes: stat.size };
  }

  get leavesBytes(): number {
    return fstatSync(this.#leavesFd()).size;
  }

  /** Reads the file of the newest lines, a block at a time. */
  readLines(): Iterable<Buffer> {
    return blocksOf(this.#linesFd());
  }

  /** Appends lines and waits until they are on the disk. After a failure none of them is left if that can be helped. */
  appendLines(text: Buffer, bytesBefore: number): void {
    const fd = this.#linesFd();
    try {
      writeWhole(fd, text);
      fdatasyncSync(fd);
    } catch (error) {
      this.#takeBack(bytesBefore);
      throw error;
    }
  }

  #takeBack(bytes: number): void {
    try {
      this.truncateLines(bytes);
    } catch {
      // Whoever writes next finds what is left, and cuts a line that is not whole.
    }
  }

  truncateLines(bytes: number): void {
    ftruncateSync(this.#linesFd(), bytes);
    fdatasyncSync(this.#linesFd());
  }

  appendLeaves(hashes: Buffer): void {
    writeWhole(this.#leavesFd(), hashes);
  }

  truncateLeaves(count: number): void {
    ftruncateSync(this.#leavesFd(), count * HASH_BYTES);
  }

  syncLeaves(): void {
    fdatasyncSync(this.#leavesFd());
  }

  writeState(text: string): void {
    writeFileSync(this.paths.state, text, { mode: MODE });
  }

  /** Replaces the newest checkpoint in one step. A power cut may take it away: the earlier ones are kept for good. */
  replaceCheckpoint(note: string): void {
    const draft = `${this.paths.checkpoint}.new`;
    writeFileSync(draft, note, { mode: MODE });
    renameSync(draft, this.paths.checkpoint);
  }

  /** Adds a checkpoint to the earlier ones. */
  keepCheckpoint(note: string): void {
    writeFileSync(this.paths.checkpoints, note, { mode: MODE, flag: "a", flush: true });
  }

  /** Gives the file of the newest lines the name of a closed file. */
  closeLines(first: number): void {
    let copy = 0;
    while (existsSync(this.paths.closed(first, copy))) copy += 1;
    renameSync(this.paths.lines, this.paths.closed(first, copy));
    this.forgetLines();
    syncFile(this.paths.folder);
  }

  /** Another file is at the path of the newest lines, or none. */
  forgetLines(): void {
    if (this.#lines !== undefined) closeSync(this.#lines);
    this.#lines = undefined;
  }

  /** Makes the name of a new file durable. */
  syncFolder(): void {
    syncFile(this.paths.folder);
  }

  close(): void {
    this.forgetLines();
    this.#forgetLeaves();
  }

  #forgetLeaves(): void {
    if (this.#leaves !== undefined) closeSync(this.#leaves);
    this.#leaves = undefined;
  }

  #linesFd(): number {
    this.#lines ??= openSync(this.paths.lines, APPEND, MODE);
    return this.#lines;
  }

  #leavesFd(): number {
    this.#leaves ??= openSync(this.paths.leaves, APPEND, MODE);
    return this.#leaves;
  }
}

/** Returns true if an open file is the file at a path. */
const isAt = (path: string, fd: number): boolean =>
  statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino;

/** A disk that is almost full takes a part. */
function writeWhole(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
