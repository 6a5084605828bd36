import { createReadStream, existsSync, readSync } from "node:fs";
import { createGunzip } from "node:zlib";
import { messageOf } from "../../errors.ts";
import { MAX_LINE_BYTES } from "../record/record-line.ts";

/** A piece of a file of lines. */
export type FileLine =
  | { readonly kind: "line"; readonly bytes: Buffer }
  /** A line without a newline, at the end of the file. */
  | { readonly kind: "torn"; readonly bytes: Buffer }
  | { readonly kind: "tooLong" }
  /** Nothing after it was read. */
  | { readonly kind: "unreadable"; readonly message: string };

/** A file of lines: a path, or a file that is open. */
export interface LineSource {
  readonly path: string;
  readonly fd?: number;
  readonly isCompressed: boolean;
}

/** The largest file of a log has 1 GiB and a line. */
const MOST_BYTES = 1_100_000_000;
const BLOCK_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * Reads the lines of a file in groups, each as its bytes without the newline. Lines longer than any line of a log are
 * skipped. A file that becomes larger than any file of a log when it is decompressed is read up to this size.
 */
export async function* fileLines(
  source: LineSource,
  { mostBytes = MOST_BYTES }: { readonly mostBytes?: number } = {},
): AsyncGenerator<readonly FileLine[]> {
  const splitter = new Splitter();
  let bytes = 0;
  try {
    for await (const chunk of streamOf(source)) {
      bytes += chunk.length;
      if (bytes > mostBytes) {
        yield [{ kind: "unreadable", message: `it has more than ${mostBytes} bytes` }];
        return;
      }
      yield splitter.take(chunk);
    }
    yield splitter.end();
  } catch (error) {
    yield [...splitter.end(), { kind: "unreadable", message: messageOf(error) }];
  }
}

function streamOf(source: LineSource): AsyncIterable<Buffer> | Iterable<Buffer> {
  const { fd, path, isCompressed } = source;
  if (fd !== undefined) return blocksOf(fd);
  // A closed file is compressed some time after it was closed.
  const hasBeenCompressed = !existsSync(path) && existsSync(`${path}.gz`);
  const file = createReadStream(hasBeenCompressed ? `${path}.gz` : path, { highWaterMark: BLOCK_BYTES });
  if (!isCompressed && !hasBeenCompressed) return file;
  const gunzip = createGunzip();
  // A pipe does not pass errors on.
  file.on("error", (error) => gunzip.destroy(error));
  gunzip.on("close", () => file.destroy());
  return file.pipe(gunzip);
}

/** Reads a file that stays open: a stream would close it. */
function* blocksOf(fd: number): Generator<Buffer> {
  for (let at = 0; ; ) {
    const block = Buffer.allocUnsafe(BLOCK_BYTES);
    const length = readSync(fd, block, 0, BLOCK_BYTES, at);
    if (length === 0) return;
    yield block.subarray(0, length);
    at += length;
  }
}

/** Splits bytes at newlines. */
class Splitter {
  #rest: Buffer = Buffer.alloc(0);
  #isSkipping = false;

  take(chunk: Buffer): readonly FileLine[] {
    const lines: FileLine[] = [];
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

  #line(bytes: Buffer): FileLine {
    const isTooLong = this.#isSkipping || bytes.length > MAX_LINE_BYTES;
    this.#isSkipping = false;
    return isTooLong ? { kind: "tooLong" } : { kind: "line", bytes };
  }

  end(): readonly FileLine[] {
    if (this.#isSkipping) return [{ kind: "tooLong" }];
    return this.#rest.length === 0 ? [] : [{ kind: "torn", bytes: this.#rest }];
  }
}
