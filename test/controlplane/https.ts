import { type Agent, type RequestOptions, request } from "node:https";
import { text } from "node:stream/consumers";

export interface HttpsCall {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** PEM of the certificates to trust. */
  readonly ca: string;
  readonly agent?: Agent;
  /** Milliseconds for the whole call. */
  readonly deadline?: number;
}

/** `body` is the parsed value where the server sent JSON, else the text. */
export interface HttpsReply {
  readonly status: number;
  readonly body: unknown;
  /** Seconds after which the server wants to be asked again, if it says so. */
  readonly retryAfter?: number;
}

/** One HTTPS call; node:https because the built-in fetch takes no CA. Rejects on transport errors only. */
export function call(url: string, { body = "", deadline = 60_000, ...rest }: HttpsCall): Promise<HttpsReply> {
  const options: RequestOptions = { ...rest, signal: AbortSignal.timeout(deadline) };
  return new Promise((resolve, reject) => {
    const outgoing = request(url, options, (incoming) => {
      const retryAfter = Number(incoming.headers["retry-after"]);
      const json = incoming.headers["content-type"]?.startsWith("application/json");
      text(incoming)
        .then((content) => (json ? JSON.parse(content) : content))
        .then((content) =>
          resolve({
            status: incoming.statusCode ?? 0,
            body: content,
            ...(Number.isNaN(retryAfter) ? {} : { retryAfter }),
          }),
        )
        .catch(reject);
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
