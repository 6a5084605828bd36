import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import type { Socket } from "node:net";
import { ClavigerError, messageOf } from "../../errors.ts";
import type { TlsPair } from "./tls-files.ts";

/** A connection takes some kilobytes. A new one beyond these replaces the one that was longest without an answer. */
const MAX_CONNECTIONS = 1_024;
/** An Authorization header, a session token, and what SDKs send besides. */
const MAX_HEAD_BYTES = 16 * 1024;
/** The time for the head of a request, for the whole request, and for a TLS handshake. */
const REQUEST_MILLISECONDS = 10_000;
/** SDKs keep idle connections for as long as a minute. */
const IDLE_MILLISECONDS = 75_000;
/** The time that requests in flight have at a stop. */
const DRAIN_MILLISECONDS = 5_000;

const OPTIONS = {
  maxHeaderSize: MAX_HEAD_BYTES,
  headersTimeout: REQUEST_MILLISECONDS,
  requestTimeout: REQUEST_MILLISECONDS,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: IDLE_MILLISECONDS,
};

export interface DoorOptions {
  /** HOST:PORT. */
  readonly listen: string;
  /** Without it the door speaks plain HTTP. */
  readonly tls?: TlsPair | undefined;
  /** Answers a request, whatever happens. */
  readonly answer: (request: IncomingMessage, response: ServerResponse) => void;
}

/** The HTTP or HTTPS server of the AWS KMS API: connections, times and sizes are bounded. */
export class Door {
  readonly #server: Server | HttpsServer;
  readonly #open = new Set<Socket>();
  readonly #inFlight = new Set<ServerResponse>();
  #draining = false;

  private constructor(server: Server | HttpsServer) {
    this.#server = server;
    server.setTimeout(IDLE_MILLISECONDS, (socket: Socket) => socket.destroy());
    // A malformed request has no answer that a client of AWS could read.
    server.on("clientError", (_error, socket) => socket.destroy());
    server.on("connection", (socket) => this.#track(socket));
  }

  /** Listens. Throws InUse if it cannot. */
  static async open({ listen, tls, answer }: DoorOptions): Promise<Door> {
    const server =
      tls === undefined
        ? createServer(OPTIONS)
        : createHttpsServer({ ...OPTIONS, ...tls, handshakeTimeout: REQUEST_MILLISECONDS });
    const door = new Door(server);
    server.on("request", (request, response) => {
      door.#follow(response);
      answer(request, response);
    });
    try {
      server.listen(addressOf(listen));
      await once(server, "listening");
    } catch (cause) {
      throw new ClavigerError("InUse", `the AWS KMS API cannot listen on ${listen}: ${messageOf(cause)}`, {
        cause,
      });
    }
    // A connection that cannot be accepted must not end the process.
    server.on("error", () => undefined);
    return door;
  }

  /** True once `drain` was called: no new request should be sent here. */
  get isDraining(): boolean {
    return this.#draining;
  }

  /** Uses another certificate for new connections. */
  renew(tls: TlsPair): void {
    if ("setSecureContext" in this.#server) this.#server.setSecureContext(tls);
  }

  /** Accepts no more connections, lets requests in flight end, and closes the rest after five seconds. */
  async drain(): Promise<void> {
    this.#draining = true;
    for (const response of this.#inFlight) endsConnection(response);
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeIdleConnections();
    const insist = setTimeout(() => this.#closeAll(), DRAIN_MILLISECONDS);
    await closed;
    clearTimeout(insist);
  }

  #closeAll(): void {
    for (const socket of this.#open) socket.destroy();
  }

  #follow(response: ServerResponse): void {
    if (this.#draining) endsConnection(response);
    this.#inFlight.add(response);
    response.once("close", () => this.#inFlight.delete(response));
    const { socket } = response;
    if (socket !== null) response.once("finish", () => this.#answered(socket));
  }

  /** Sockets are in the order of their last answers. */
  #answered(socket: Socket): void {
    if (this.#open.delete(socket)) this.#open.add(socket);
  }

  #track(socket: Socket): void {
    const [oldest] = this.#open;
    if (oldest !== undefined && this.#open.size >= MAX_CONNECTIONS) oldest.destroy();
    this.#open.add(socket);
    socket.once("close", () => this.#open.delete(socket));
  }
}

/** Tells the client to send its next request elsewhere. */
function endsConnection(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader("connection", "close");
}

function addressOf(listen: string): { readonly host: string; readonly port: number } {
  const split = listen.lastIndexOf(":");
  return { host: listen.slice(0, split).replace(/^\[(.*)\]$/, "$1"), port: Number(listen.slice(split + 1)) };
}
