import { createReadStream, existsSync } from "node:fs";
import { createGunzip } from "node:zlib";
import { messageOf } from "../../errors.ts";
import { BLOCK_BYTES, blocksOf, type LinePiece, LineSplitter } from "../log/line-splitter.ts";

/** A piece of a file of lines. */
export type FileLine =
  | LinePiece
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

/**
 * Reads the lines of a file in groups, each as its bytes without the newline. Lines longer than any line of a log are
 * skipped. A file that becomes larger than any file of a log when it is decompressed is read up to this size.
 */
export async function* fileLines(
  source: LineSource,
  { mostBytes = MOST_BYTES }: { readonly mostBytes?: number } = {},
): AsyncGenerator<readonly FileLine[]> {
  const splitter = new LineSplitter();
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
  // A stream would close it.
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
