import { existsSync, readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { logPaths } from "../log/log-paths.ts";
import { LeafFile } from "../tree/leaf-file.ts";
import { checkpointNotes } from "./checkpoint-notes.ts";
import { ClaimedLeaves, NO_LEAVES } from "./claimed-leaves.ts";
import { compareFiles } from "./compare-files.ts";
import { judge } from "./judge.ts";
import { openSegments } from "./segments.ts";
import type { Checkpoints, Verification, VerifyOptions } from "./verification.ts";

/** A checkpoint takes 250 bytes, and one an hour is kept. */
const MOST_CHECKPOINT_BYTES = 64 * 1024 * 1024;

/**
 * Verifies a log: its lines by their leaf hashes, these by all checkpoints, and the checkpoints by the log's keys. A log
 * may be written meanwhile. Never throws because of the contents of files; throws what the disk throws.
 */
export async function verifyLog(options: VerifyOptions): Promise<Verification> {
  const paths = logPaths(options.path);
  // In this order each file has at least what the files before it are about, if the log is written meanwhile.
  const checkpoints = readCheckpoints(options);
  const stored = existsSync(paths.leaves) ? new LeafFile(paths.leaves) : undefined;
  try {
    const segments = await openSegments(options.path);
    try {
      const leaves = new ClaimedLeaves(stored ?? NO_LEAVES);
      const compared = await compareFiles(segments, leaves, options.onProgress);
      return judge({ ...options, checkpoints, leaves, compared, hasLeaves: stored !== undefined });
    } finally {
      segments.close();
    }
  } finally {
    stored?.close();
  }
}

function readCheckpoints({ path, kept }: VerifyOptions): Checkpoints {
  const paths = logPaths(path);
  const newest = notesOf(paths.checkpoint);
  const earlier = notesOf(paths.checkpoints);
  const elsewhere = kept === undefined ? NONE : checkpointNotes(kept.text, kept.file);
  const more = newest.checkpoints.slice(1).map(({ file, line }) => ({ file, line, isTorn: false }));
  return {
    newest: newest.checkpoints[0],
    earlier: earlier.checkpoints,
    elsewhere: elsewhere.checkpoints,
    malformed: [...newest.malformed, ...more, ...earlier.malformed, ...elsewhere.malformed],
  };
}

const NONE: ReturnType<typeof checkpointNotes> = { checkpoints: [], malformed: [] };

function notesOf(path: string): ReturnType<typeof checkpointNotes> {
  if (!existsSync(path)) return NONE;
  const file = basename(path);
  if (statSync(path).size > MOST_CHECKPOINT_BYTES)
    return { checkpoints: [], malformed: [{ file, line: 1, isTorn: false }] };
  return checkpointNotes(readFileSync(path, "utf8"), file);
}
