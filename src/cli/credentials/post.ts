import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";

const CALL_MILLISECONDS = 20_000;
/** An answer has a few kilobytes. */
const MOST_BYTES = 64 * 1024;

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Posts a body to an AWS KMS API. Rejects if there is no answer in 20 seconds, or one that is too long. */
export function post(url: URL, body: string, more: RequestOptions): Promise<Answer> {
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  const options = { method: "POST", signal: AbortSignal.timeout(CALL_MILLISECONDS), ...more };
  return new Promise((resolve, reject) => {
    const call = send(url, options, (response) => {
      textOf(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
    });
    call.on("error", reject);
    call.end(body);
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    length += chunk.length;
    if (length > MOST_BYTES) throw new Error(`its answer has more than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
