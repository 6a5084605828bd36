import { leafHash } from "../tree/hashes.ts";
import { LineSplitter } from "./line-splitter.ts";

/** What a file of lines holds. */
export interface ScannedLines {
  readonly count: number;
  /** The length of the whole lines. Bytes after it are a line that is not whole. */
  readonly bytes: number;
  /** True if something longer than any line was found, and nothing was read after it. */
  readonly isTooLong: boolean;
}

/** The first line of each file is claviger's own, and short. */
export const MOST_FIRST_LINE_BYTES = 16_384;

/** Reads the blocks of a file of lines. `take` gets the leaf hash of each line. */
export function scanLines(
  blocks: Iterable<Buffer>,
  take: (leaf: Buffer, index: number) => void,
): ScannedLines {
  const splitter = new LineSplitter();
  let count = 0;
  let bytes = 0;
  for (const block of blocks)
    for (const piece of splitter.take(block)) {
      if (piece.kind !== "line") return { count, bytes, isTooLong: true };
      take(leafHash(piece.bytes), count);
      count += 1;
      bytes += piece.bytes.length + 1;
    }
  return { count, bytes, isTooLong: splitter.end().some(({ kind }) => kind === "tooLong") };
}
