import type { IncomingMessage } from "node:http";
import type { BodyShare } from "./body-memory.ts";
import { type BodyRefusal, GrowingBody, MAX_BODY_BYTES } from "./growing-body.ts";

/**
 * Reads the body of a request. Returns the reason, and keeps nothing of the body, if it is larger than any of AWS KMS
 * or if there is no memory for it. Rejects if the client goes away; the server ends requests that come too slowly.
 */
export function readBody(request: IncomingMessage, memory: BodyShare): Promise<Buffer | BodyRefusal> {
  const length = request.headers["content-length"];
  if (Number(length ?? 0) > MAX_BODY_BYTES) return Promise.resolve("too-large");
  const body = new GrowingBody(memory, length === undefined ? undefined : Number(length));
  // An iterator of the request takes as long as the parsing of its head.
  return new Promise((resolve, reject) => {
    const add = (chunk: Buffer) => {
      const refusal = body.add(chunk);
      if (refusal === undefined) return;
      request.off("data", add);
      // The next request on the connection comes after the rest of this one.
      request.resume();
      resolve(refusal);
    };
    request.on("data", add);
    let isWhole = false;
    request.once("end", () => {
      isWhole = true;
      resolve(body.bytes);
    });
    request.once("error", reject);
    // Each request is closed after its end, and an error takes longer to make than a body to read.
    request.once("close", () => isWhole || reject(new Error("the client has gone")));
  });
}
