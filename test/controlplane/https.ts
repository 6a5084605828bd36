import type { IncomingMessage } from "node:http";
import { type Agent, type RequestOptions, request } from "node:https";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

export interface HttpsCall {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** PEM of the certificates to trust. */
  readonly ca: string;
  readonly agent?: Agent;
  /** The timeout of the whole call, in milliseconds. */
  readonly deadline?: number;
}

/** `body` is the parsed value if the server sent JSON, otherwise the text. */
export interface HttpsReply {
  readonly status: number;
  readonly body: unknown;
}

interface Answer extends HttpsReply {
  /** The seconds of a 429's Retry-After; undefined if the answer is not retried. */
  readonly retryAfter: number | undefined;
}

/** client-go's bound (rest.Config, maxRetries). */
const MOST_RETRIES = 10;

/**
 * Makes an HTTPS call, with node:https because the built-in fetch takes no CA. Rejects only on transport
 * errors.
 *
 * An answer 429 with a Retry-After is retried as client-go and kubectl do, ten times at most and within the
 * deadline, because the API server carried nothing out. The cause seen here is a LIST without a limit while
 * the API server fills the watch cache of that resource (KEP-4568, "storage is (re)initializing"). For a
 * custom resource that begins with the first request after a start or after a change of its definition, so
 * /readyz does not wait for it. The other cause is priority and fairness, if too many calls are in progress.
 * A 429 that lasts is returned.
 */
export async function call(url: string, { deadline = 60_000, ...rest }: HttpsCall): Promise<HttpsReply> {
  const signal = AbortSignal.timeout(deadline);
  for (let retries = 0; ; retries += 1) {
    const { retryAfter, ...reply } = await callOnce(url, rest, signal);
    if (retryAfter === undefined || retries === MOST_RETRIES) return reply;
    await sleep(retryAfter * 1_000, undefined, { signal });
  }
}

function callOnce(url: string, { body = "", ...rest }: HttpsCall, signal: AbortSignal): Promise<Answer> {
  const options: RequestOptions = { ...rest, signal };
  return new Promise((resolve, reject) => {
    const outgoing = request(url, options, (incoming) => {
      const json = incoming.headers["content-type"]?.startsWith("application/json");
      text(incoming)
        .then((content) => (json ? JSON.parse(content) : content))
        .then((content) =>
          resolve({
            status: incoming.statusCode ?? 0,
            body: content,
            retryAfter: retryAfterOf(incoming),
          }),
        )
        .catch(reject);
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

function retryAfterOf({ statusCode, headers }: IncomingMessage): number | undefined {
  const seconds = Number(headers["retry-after"] ?? Number.NaN);
  return statusCode === 429 && Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}
