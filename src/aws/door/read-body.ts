import type { IncomingMessage } from "node:http";

/** The largest request of AWS KMS, an imported RSA key or a key policy, is far smaller. */
export const MAX_BODY_BYTES = 256 * 1024;

/**
 * Reads the body of a request. Returns undefined, and reads no further, if it is larger than any of AWS KMS.
 * Rejects if the client goes away; the server ends requests that come too slowly.
 */
export async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(request.headers["content-length"] ?? 0) > MAX_BODY_BYTES) return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
}
