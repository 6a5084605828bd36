import { readSync } from "node:fs";
import { MAX_LINE_BYTES } from "../record/record-line.ts";

/** A piece of a file of lines. */
export type LinePiece =
  | { readonly kind: "line"; readonly bytes: Buffer }
  /** A line without a newline, at the end of the file. */
  | { readonly kind: "torn"; readonly bytes: Buffer }
  | { readonly kind: "tooLong" };

export const BLOCK_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

/** Reads a file that stays open, a block at a time. */
export function* blocksOf(fd: number): Generator<Buffer> {
  for (let at = 0; ; ) {
    const block = Buffer.allocUnsafe(BLOCK_BYTES);
    const length = readSync(fd, block, 0, BLOCK_BYTES, at);
    if (length === 0) return;
    yield block.subarray(0, length);
    at += length;
  }
}

/** Splits bytes at newlines. Lines that are longer than any line of a log are skipped, and said to be too long. */
export class LineSplitter {
  #rest: Buffer = Buffer.alloc(0);
  #isSkipping = false;

  take(chunk: Buffer): readonly LinePiece[] {
    const lines: LinePiece[] = [];
    const text = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let start = 0;
    for (let end = text.indexOf(NEWLINE); end >= 0; end = text.indexOf(NEWLINE, start)) {
      lines.push(this.#line(text.subarray(start, end)));
      start = end + 1;
    }
    this.#rest = text.subarray(start);
    if (this.#rest.length > MAX_LINE_BYTES) {
      this.#isSkipping = true;
      this.#rest = Buffer.alloc(0);
    }
    return lines;
  }

  #line(bytes: Buffer): LinePiece {
    const isTooLong = this.#isSkipping || bytes.length > MAX_LINE_BYTES;
    this.#isSkipping = false;
    return isTooLong ? { kind: "tooLong" } : { kind: "line", bytes };
  }

  end(): readonly LinePiece[] {
    if (this.#isSkipping) return [{ kind: "tooLong" }];
    return this.#rest.length === 0 ? [] : [{ kind: "torn", bytes: this.#rest }];
  }
}
