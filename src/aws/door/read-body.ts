import type { IncomingMessage } from "node:http";
import type { BodyShare } from "./body-memory.ts";
import { type BodyRefusal, GrowingBody, MAX_BODY_BYTES } from "./growing-body.ts";

/**
 * Reads the body of a request. Returns the reason, and keeps nothing of the body, if it is larger than any of AWS KMS
 * or if there is no memory for it. Rejects if the client goes away; the server ends requests that come too slowly.
 */
export async function readBody(request: IncomingMessage, memory: BodyShare): Promise<Buffer | BodyRefusal> {
  const length = request.headers["content-length"];
  if (Number(length ?? 0) > MAX_BODY_BYTES) return "too-large";
  const body = new GrowingBody(memory, length === undefined ? undefined : Number(length));
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    const refusal = body.add(chunk);
    if (refusal === undefined) continue;
    // The next request on the connection comes after the rest of this one.
    request.resume();
    return refusal;
  }
  return body.bytes;
}
