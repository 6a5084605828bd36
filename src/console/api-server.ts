import { Agent, request } from "node:https";
import { parseJson } from "../json.ts";
import type { ServerTrust } from "../kube/kubeconfig/server-trust.ts";
import { oneLine } from "../printable.ts";

/** An answer of the API server to a caller's question. */
export interface Answer {
  readonly status: number;
  /** The object, or the Status of a refusal (meta.k8s.io). */
  readonly body: unknown;
  /** The API server's time. */
  readonly date: string;
}

/** The question that is asked with the caller's token. */
export interface Question {
  readonly path: string;
  readonly token: string;
  readonly accept: string;
  readonly signal: AbortSignal;
}

/** A list of the page has some hundred objects of some kilobytes. */
const MAX_BYTES = 8 * 1024 * 1024;
const MAX_SOCKETS = 8;

/**
 * Reads from one API server with the tokens of callers. It has no identity of its own, so that nobody sees
 * more through it than the API server allows him.
 */
export class ApiServer {
  readonly #trust: ServerTrust;
  readonly #agent: Agent;

  constructor(trust: ServerTrust) {
    this.#trust = trust;
    const { ca, servername } = trust;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: MAX_SOCKETS,
      ...(ca !== undefined && { ca }),
      ...(servername !== undefined && { servername }),
    });
  }

  /** Rejects if there is no answer, or one that is too large or is not JSON. */
  get({ path, token, accept, signal }: Question): Promise<Answer> {
    const url = this.#trust.server.replace(/\/$/, "") + path;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const call = request(url, {
      agent: this.#agent,
      signal,
      headers: { accept, authorization: `Bearer ${token}` },
    });
    call.once("error", (error) => reject(new Error(`the API server did not answer: ${error.message}`)));
    call.once("response", (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_BYTES) response.destroy(new Error("it has more than 8 MB: name a namespace"));
        else chunks.push(chunk);
      });
      response.once("error", (error) => reject(new Error(`the API server's answer: ${error.message}`)));
      response.once("end", () => {
        const { statusCode = 0, headers } = response;
        try {
          const body = parseJson(Buffer.concat(chunks).toString(), `GET ${path}: the answer`, "ApiServer");
          resolve({ status: statusCode, body, date: headers.date ?? "" });
        } catch (error) {
          reject(error);
        }
      });
    });
    call.end();
    return promise;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Returns the message of a Status (meta.k8s.io), safe to show. */
export function messageOfStatus({ status, body }: Answer): string {
  const message: unknown =
    typeof body === "object" && body !== null ? Reflect.get(body, "message") : undefined;
  return oneLine(typeof message === "string" ? message : `HTTP ${status}`, 1_000);
}
