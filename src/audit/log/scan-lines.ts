import { MAX_LINE_BYTES } from "../record/record-line.ts";
import { leafHash } from "../tree/hashes.ts";

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

const BLOCK_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * Reads a file of lines in blocks. `read` fills a buffer from a place on and returns the number of bytes; `take` gets
 * the leaf hash of each line.
 */
export function scanLines(
  read: (into: Buffer, at: number) => number,
  take: (leaf: Buffer, index: number) => void,
): ScannedLines {
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  let rest: Buffer = Buffer.alloc(0);
  let count = 0;
  let bytes = 0;
  for (let at = 0; ; ) {
    const length = read(block, at);
    if (length === 0 || rest.length > MAX_LINE_BYTES)
      return { count, bytes, isTooLong: rest.length > MAX_LINE_BYTES };
    at += length;
    let text = Buffer.concat([rest, block.subarray(0, length)]);
    for (let end = text.indexOf(NEWLINE); end >= 0; end = text.indexOf(NEWLINE)) {
      take(leafHash(text.subarray(0, end)), count);
      count += 1;
      bytes += end + 1;
      text = text.subarray(end + 1);
    }
    rest = text;
  }
}
