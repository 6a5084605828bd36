import type { Readable } from "node:stream";
import { ClavigerError } from "../../errors.ts";

/**
 * Reads stdin to its end. On a terminal, says first what it waits for. Throws InvalidArgument if there is
 * more than the limit, without reading the rest.
 */
export async function readInput(
  what: string,
  maxBytes: number,
  say: (text: string) => void,
  stream: Readable & { readonly isTTY?: boolean } = process.stdin,
): Promise<Buffer> {
  if (stream.isTTY === true) say(`waiting for ${what} on stdin; Ctrl-D ends it`);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    const buffer = Buffer.from(chunk);
    bytes += buffer.length;
    if (bytes > maxBytes) throw tooLong(what, maxBytes);
    chunks.push(buffer);
  }
  return Buffer.concat(chunks);
}

const tooLong = (what: string, maxBytes: number): ClavigerError =>
  new ClavigerError(
    "InvalidArgument",
    `stdin has more than ${maxBytes} bytes, the most for ${what}: KMS v2 encrypts seeds of 32 bytes, and the API server encrypts objects itself`,
  );
