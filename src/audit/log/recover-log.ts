import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ClavigerError } from "../../errors.ts";
import { parsedJson } from "../../json.ts";
import { checkpointOf } from "../notes/checkpoint.ts";
import { HASH_BYTES } from "../tree/hashes.ts";
import { LeafFile } from "../tree/leaf-file.ts";
import { treeOf } from "../tree/proofs.ts";
import type { RightEdge } from "../tree/right-edge.ts";
import { blocksOf } from "./line-splitter.ts";
import type { LogFiles } from "./log-files.ts";
import { closedFiles } from "./log-paths.ts";
import type { LogState } from "./log-state.ts";
import { type FileReason, numberOfFirstLine } from "./own-events.ts";
import { MOST_FIRST_LINE_BYTES, scanLines } from "./scan-lines.ts";

/** A log as its files have it after a crash, a power cut, or somebody's hands. */
export interface RecoveredLog {
  readonly state: LogState;
  /** Why a new file must be begun; the file of the newest lines goes on if it is left out. */
  readonly newFile?: FileReason;
}

/**
 * Finds out where a log stands. Lines after the newest checkpoint are believed as they are, and their leaf hashes are
 * made anew. A line that is not whole was never acknowledged, and is cut. If lines before the checkpoint are not what
 * their leaf hashes say, nothing of them is changed: another file is begun. Throws AuditUnavailable if leaf hashes
 * that the checkpoint covers are lost.
 */
export function recoverLog(files: LogFiles): RecoveredLog {
  const signed = signedLines(files);
  // This makes the file if there is none.
  const stored = Math.floor(files.leavesBytes / HASH_BYTES);
  if (stored < signed) throw leavesLost(files, stored, signed);
  const leaves = new LeafFile(files.paths.leaves);
  try {
    return recoverWith(files, leaves, signed);
  } finally {
    leaves.close();
  }
}

function recoverWith(files: LogFiles, leaves: LeafFile, signed: number): RecoveredLog {
  const file = files.linesFile;
  if (file === undefined) return withoutLines(files, leaves, signed);
  const first = firstLineOf(files);
  if (first === "none") return withoutLines(files, leaves, signed);
  const found = first === "unknown" ? undefined : compareLines(files, leaves, { first, signed });
  if (found === undefined) {
    const number = first === "unknown" ? signed : first;
    const state = stateOf(treeOf(leaves, 0, leaves.size), signed, { ...file, first: number });
    return { state, newFile: "PreviousFileAltered" };
  }
  const { kept, fresh, bytes } = found;
  files.truncateLeaves(kept);
  files.appendLeaves(Buffer.concat(fresh));
  if (bytes < file.bytes) files.truncateLines(bytes);
  const edge = treeOf(leaves, 0, kept);
  for (const leaf of fresh) edge.append(leaf);
  return { state: stateOf(edge, signed, { inode: file.inode, bytes, first: found.first }) };
}

/** There is no file of newest lines, or no whole line in it. */
function withoutLines(files: LogFiles, leaves: LeafFile, signed: number): RecoveredLog {
  if (files.linesFile !== undefined) files.truncateLines(0);
  const edge = treeOf(leaves, 0, leaves.size);
  return { state: stateOf(edge, signed), newFile: reasonFor(files, edge.size) };
}

function reasonFor({ paths }: LogFiles, size: number): FileReason {
  if (size === 0) return "FirstFile";
  const last = closedFiles(paths.lines, readdirSync(paths.folder)).at(-1);
  if (last === undefined) return "PreviousFileMissing";
  // It is compressed once the next file has been begun.
  const end = last.isCompressed ? undefined : last.first + linesOf(join(paths.folder, last.name));
  return end === size ? "PreviousFileFull" : "PreviousFileMissing";
}

function linesOf(path: string): number {
  const fd = openSync(path, "r");
  try {
    return scanLines(blocksOf(fd), () => {}).count;
  } finally {
    closeSync(fd);
  }
}

interface Compared {
  readonly first: number;
  /** The number of leaf hashes that stay. */
  readonly kept: number;
  /** Those of the lines after them. */
  readonly fresh: readonly Buffer[];
  /** The length of the whole lines. */
  readonly bytes: number;
}

/** Returns undefined if lines before the checkpoint are not what their leaf hashes say, or are not there. */
function compareLines(
  files: LogFiles,
  leaves: LeafFile,
  { first, signed }: { readonly first: number; readonly signed: number },
): Compared | undefined {
  const fresh: Buffer[] = [];
  let isAltered = leaves.size < first;
  const former = leaves.range(first, signed);
  const { count, bytes, isTooLong } = scanLines(files.readLines(), (leaf, index) => {
    if (first + index >= signed) fresh.push(leaf);
    else if (former.next().value?.equals(leaf) !== true) isAltered = true;
  });
  if (isAltered || isTooLong || first + count < signed) return undefined;
  return { first, kept: Math.max(first, signed), fresh, bytes };
}

const stateOf = (
  edge: RightEdge,
  signed: number,
  file: LogState["file"] = { inode: 0, bytes: 0, first: edge.size },
): LogState => ({ edge, file, checkpoint: { size: signed, at: 0 }, keptAt: 0 });

/** Returns the number of lines of the newest checkpoint; 0 if there is none. */
function signedLines({ paths }: LogFiles): number {
  try {
    return checkpointOf(readFileSync(paths.checkpoint, "utf8"))?.size ?? 0;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return 0;
    throw error;
  }
}

/** Without them the tree could not go on, and a new tree would hide the old. */
const leavesLost = ({ paths }: LogFiles, there: number, needed: number): ClavigerError =>
  new ClavigerError(
    "AuditUnavailable",
    `${paths.leaves} has the hashes of ${there} lines, and the checkpoint is of ${needed}: restore the file, or move all files of this audit log to another folder, and a new log is begun`,
  );

/** Returns the number of the first line of the newest file, which this line says. */
function firstLineOf(files: LogFiles): number | "none" | "unknown" {
  const [block = Buffer.alloc(0)] = files.readLines();
  const text = block.subarray(0, MOST_FIRST_LINE_BYTES).toString("utf8");
  const end = text.indexOf("\n");
  if (end < 0) return text.length < MOST_FIRST_LINE_BYTES ? "none" : "unknown";
  return numberOfFirstLine(parsedJson(text.slice(0, end))) ?? "unknown";
}
