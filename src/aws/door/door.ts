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
  /** By the address of their clients, in the order of their last answers. */
  readonly #open = new Map<string, Socket>();
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

  /** The number of open connections. */
  get connections(): number {
    return this.#open.size;
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
    for (const socket of this.#open.values()) socket.destroy();
  }

  #follow(response: ServerResponse): void {
    if (this.#draining) endsConnection(response);
    this.#inFlight.add(response);
    const client = response.socket === null ? undefined : clientOf(response.socket);
    response.once("close", () => {
      this.#inFlight.delete(response);
      if (client !== undefined && response.writableFinished) this.#answered(client);
    });
  }

  #answered(client: string): void {
    const socket = this.#open.get(client);
    if (socket !== undefined) this.#putLast(client, socket);
  }

  #track(socket: Socket): void {
    const client = clientOf(socket);
    // The client has gone away already.
    if (client === undefined) return void socket.destroy();
    if (this.#open.size >= MAX_CONNECTIONS) this.#closeOldest();
    this.#putLast(client, socket);
    socket.once("close", () => {
      // The client may have another connection from this port by now.
      if (this.#open.get(client) === socket) this.#open.delete(client);
    });
  }

  /** Its close event comes later: many connections may come before it, and each takes the place of another. */
  #closeOldest(): void {
    for (const [client, socket] of this.#open) {
      this.#open.delete(client);
      socket.destroy();
      return;
    }
  }

  #putLast(client: string, socket: Socket): void {
    this.#open.delete(client);
    this.#open.set(client, socket);
  }
}

/**
 * Returns the address of a client; undefined for one that has gone away. With TLS a connection has two sockets, the
 * one that was accepted and the one of its requests: both have this address.
 */
const clientOf = ({ remoteAddress, remotePort }: Socket): string | undefined =>
  remoteAddress === undefined ? undefined : `${remoteAddress} ${remotePort}`;

/** Tells the client to send its next request elsewhere. */
function endsConnection(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader("connection", "close");
}

function addressOf(listen: string): { readonly host: string; readonly port: number } {
  const split = listen.lastIndexOf(":");
  return { host: listen.slice(0, split).replace(/^\[(.*)\]$/, "$1"), port: Number(listen.slice(split + 1)) };
}
