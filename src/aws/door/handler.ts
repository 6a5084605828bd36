import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { AwsError } from "../aws-error.ts";
import type { ShedReason, Telemetry } from "../telemetry/telemetry.ts";
import { BodyMemory } from "./body-memory.ts";
import { type ConnectionTls, connectionTls } from "./connection-tls.ts";
import { MAX_BODY_BYTES } from "./growing-body.ts";
import { Load } from "./load.ts";
import { readBody } from "./read-body.ts";
import { errorReply, type Reply, textReply, throttledReply } from "./reply.ts";

/** A request to the API as it came over the wire. */
export interface WireRequest {
  readonly method: string;
  /** The query of the URL, without "?". */
  readonly query: string;
  /** `rawHeaders` of node:http: names and values in turn, duplicates included. */
  readonly headers: readonly string[];
  readonly body: Buffer;
  /** The IP address of the client, or of the proxy before it; absent if it has gone. */
  readonly address?: string | undefined;
  /** True if it came by TLS. */
  readonly isSecure?: boolean;
  /** The connection's TLS. */
  readonly tls?: ConnectionTls | undefined;
}

export interface HandlerOptions {
  /** Answers a request to the API. `target` is its X-Amz-Target. Never rejects. */
  readonly answer: (id: string, target: string, wire: WireRequest) => Promise<Reply>;
  /** True if requests can be answered at present. */
  readonly isReady: () => boolean;
  /** Counts requests that are shed. */
  readonly telemetry?: Pick<Telemetry, "shed">;
}

/** Requests whose answers may be due at once: those that wait for the API server, or for a key pair to be made. */
const MAX_IN_WORK = 256;
/** Made once: an error takes longer to make than the rest of a request that is shed. */
const THROTTLED = throttledReply(200);

/** Reads requests, hands them to the API, and writes answers. Its promises never reject. */
export class Handler {
  readonly #options: HandlerOptions;
  readonly #load = new Load();
  readonly #bodies = new BodyMemory();
  #inWork = 0;

  constructor(options: HandlerOptions) {
    this.#options = options;
  }

  /** The number of requests whose answers are due. */
  get inFlight(): number {
    return this.#inWork;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = randomUUID();
    try {
      const reply = await this.#reply(id, request);
      send(response, { ...reply, headers: { ...reply.headers, "x-amzn-RequestId": id } });
    } catch {
      // The client went away before its request was complete, or while it was answered.
      request.destroy();
    }
  }

  async #reply(id: string, request: IncomingMessage): Promise<Reply> {
    const { method = "", url = "" } = request;
    const [path = "", query = ""] = splitUrl(url);
    if (method === "GET" || method === "HEAD") return this.#health(path);
    if (method !== "POST" || path !== "/") return errorReply(noSuchPath());
    if (this.#load.isTooHigh()) return this.#shed("load");
    using memory = this.#bodies.body();
    const body = await readBody(request, memory);
    if (body === "too-large") return tooLarge();
    if (body === "no-memory") return this.#shed("memory");
    const target = request.headers["x-amz-target"];
    const { socket, rawHeaders: headers } = request;
    const tls = connectionTls(socket);
    const isSecure = tls !== undefined;
    const wire = { method, query, headers, body, address: socket.remoteAddress, isSecure, tls };
    return await this.#work(id, typeof target === "string" ? target : "", wire);
  }

  /** Whoever sends a request slowly is not counted here, and takes nobody's place. */
  async #work(id: string, target: string, wire: WireRequest): Promise<Reply> {
    if (this.#inWork >= MAX_IN_WORK) return this.#shed("in-work");
    this.#inWork += 1;
    try {
      return await this.#options.answer(id, target, wire);
    } finally {
      this.#inWork -= 1;
    }
  }

  #shed(reason: ShedReason): Reply {
    this.#options.telemetry?.shed(reason);
    return THROTTLED;
  }

  #health(path: string): Reply {
    if (path === "/livez") return textReply(200, "ok");
    if (path !== "/readyz") return errorReply(noSuchPath());
    return this.#options.isReady() ? textReply(200, "ok") : textReply(503, "not ready");
  }
}

function splitUrl(url: string): readonly string[] {
  const at = url.indexOf("?");
  return at < 0 ? [url] : [url.slice(0, at), url.slice(at + 1)];
}

function send(response: ServerResponse, { status, headers, body }: Reply): void {
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) });
  response.end(body);
}

const noSuchPath = (): AwsError =>
  new AwsError("UnknownOperationException", "Requests to the AWS KMS API are POSTs to /.");

const tooLarge = (): Reply => {
  const error = new AwsError("ValidationException", `A request has at most ${MAX_BODY_BYTES} bytes.`);
  const reply = errorReply(error);
  return { ...reply, status: 413, headers: { ...reply.headers, connection: "close" } };
};
