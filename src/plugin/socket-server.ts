import { once } from "node:events";
import { lstatSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { dirname } from "node:path";
import { performance } from "node:perf_hooks";
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { codeOf, messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { Connections } from "./connections.ts";
import { grpcError } from "./grpc-status.ts";
import { Health, healthService } from "./health.ts";
import type {
  DecryptRequest,
  DecryptResponse,
  EncryptRequest,
  EncryptResponse,
  StatusResponse,
} from "./kms-messages.ts";
import { kmsService } from "./kms-service.ts";
import type { Observation, Operation } from "./metrics.ts";
import type { Provider } from "./provider.ts";
import { RepeatedLog } from "./repeated-log.ts";
import { hasSelfCheckHeader } from "./self-check.ts";
import {
  type ClaimedSocket,
  claimSocket,
  giveToGroup,
  preparePrivateFolder,
  removeStaleSocket,
} from "./socket.ts";

/** A request has at most a kilobyte of ciphertext and one of key_id: claviger never returned annotations. */
const MAX_REQUEST_BYTES = 16 * 1024;
/**
 * Each entry of an EncryptionConfiguration makes a connection. With the bounds below, callers
 * that only take memory get about 300 MB of it at most: docs/threat-model.md.
 */
const MAX_CONNECTIONS = 64;
/** Calls at once on a connection: further ones wait in the caller (RFC 9113, 5.1.2). */
const MAX_STREAMS = 50;
/** Of a connection without a call. API servers ask for Status every ten seconds. */
const IDLE_MILLISECONDS = 600_000;
/** Calls in flight at a stop end within this time; the API server gives up after 3 s. */
const DRAIN_MILLISECONDS = 5_000;

const decrypted = (plaintext: Buffer): DecryptResponse => ({ plaintext });

type Unary<Request, Response> = (
  call: ServerUnaryCall<Request, Response>,
  reply: sendUnaryData<Response>,
) => void;

/** One provider on its socket. */
export class SocketServer {
  readonly provider: Provider;
  readonly path: string;
  readonly #log: Log;
  readonly #observe: (observation: Observation) => void;
  readonly #health: Health;
  readonly #server: Server;
  /** Ours and not grpc-js's, which without channelz cannot end a connection that says nothing. */
  readonly #listener = createServer();
  readonly #connections = new Connections(MAX_CONNECTIONS);
  /** For what callers cause as often as they like. */
  readonly #repeated: RepeatedLog;
  readonly #complain = (error: Error) =>
    this.#repeated.note({ kind: "accept", level: "warn", message: `${this.path}: ${messageOf(error)}` });
  #socket: ClaimedSocket | undefined;
  #group: number | undefined;
  /** Of the file that our listener is bound to. */
  #inode: number | undefined;
  #mending = false;
  #closing = false;

  constructor(options: {
    readonly provider: Provider;
    readonly path: string;
    readonly log: Log;
    readonly observe: (observation: Observation) => void;
  }) {
    this.provider = options.provider;
    this.path = options.path;
    this.#log = options.log;
    this.#repeated = new RepeatedLog(options.log);
    this.#observe = options.observe;
    this.#health = new Health(() => this.provider.usable);
    this.#server = new Server({
      "grpc.max_receive_message_length": MAX_REQUEST_BYTES,
      "grpc.max_concurrent_streams": MAX_STREAMS,
      "grpc.max_connection_idle_ms": IDLE_MILLISECONDS,
      // Introspection of channels, which nobody asks for here, costs a tenth of each call.
      "grpc.enable_channelz": 0,
    });
    this.#server.addService(kmsService, {
      Status: this.#handler<object, StatusResponse>("Status", (_, metadata) => this.#status(metadata)),
      Encrypt: this.#handler<EncryptRequest, EncryptResponse>("Encrypt", ({ plaintext, uid }) =>
        this.provider.encrypt(plaintext, uid),
      ),
      Decrypt: this.#handler<DecryptRequest, DecryptResponse>(
        "Decrypt",
        ({ ciphertext, keyId, annotations }) => {
          const opened = this.provider.decrypt({ ciphertext, keyId, annotationCount: annotations.size });
          return opened instanceof Promise ? opened.then(decrypted) : decrypted(opened);
        },
      ),
    });
    this.#server.addService(healthService, this.#health.implementation());
    this.#acceptConnections();
  }

  /** Takes the socket and answers on it, with the key if there is one. Throws InUse or ConfigInvalid. */
  async listen(group: number | undefined): Promise<void> {
    const socket = await claimSocket(this.path, group);
    try {
      await this.follow();
      await this.#bind();
      this.#giveTo(group);
    } catch (error) {
      socket.release();
      throw error;
    }
    this.#socket = socket;
    this.#group = group;
    this.#log("info", `provider ${this.provider.name} listens`, { socket: this.path });
  }

  /**
   * Makes a socket that somebody removed, or that another process has left its own in the
   * place of, again: an API server that starts anew would find none. What is connected
   * goes on. Throws what keeps it from being made.
   */
  async mend(): Promise<void> {
    if (this.#socket === undefined || this.#mending || this.#isInPlace()) return;
    this.#mending = true;
    try {
      await this.#bindAgain();
    } finally {
      this.#mending = false;
    }
  }

  async #bindAgain(): Promise<void> {
    // First: nothing is removed or made in a folder of somebody else's.
    preparePrivateFolder(dirname(this.path), this.#group);
    await removeStaleSocket(this.path);
    if (this.#closing) return;
    // Before the path is bound again: it removes what lies there.
    this.#listener.close();
    await this.#bind();
    this.#giveTo(this.#group);
    this.#log(
      "warn",
      `provider ${this.provider.name}: its socket ${this.path} was removed and is made again`,
    );
  }

  #isInPlace(): boolean {
    const found = lstatSync(this.path, { throwIfNoEntry: false });
    return found !== undefined && found.ino === this.#inode;
  }

  /** Stops taking calls, finishes those in flight, then removes the socket. Never rejects. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#health.close();
    this.provider.close();
    // Its callback does not come where a session broke a moment before: node:http2 then calls back nobody.
    // A session ends its connection after its last answer, and connections are counted here.
    this.#server.tryShutdown(() => undefined);
    const disconnected = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    // Some peers neither finish a call nor hang up.
    const timer = setTimeout(() => this.#connections.destroy(), DRAIN_MILLISECONDS);
    await disconnected;
    clearTimeout(timer);
    this.#repeated.close();
    this.#release();
  }

  /** Somebody else's file at the path must not keep this process from ending, nor from going on. */
  #release(): void {
    try {
      this.#socket?.release();
    } catch (error) {
      this.#log(
        "error",
        `provider ${this.provider.name}: its socket ${this.path} could not be removed: ${messageOf(error)}; remove what lies there`,
      );
    }
  }

  /** Brings the provider in step with the keyring. */
  async follow(): Promise<void> {
    await this.provider.follow();
    this.#health.refresh();
  }

  #acceptConnections(): void {
    const injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#listener.on("connection", (connection) => {
      this.#admit(connection);
      injector.injectConnection(connection);
    });
  }

  #admit(connection: Socket): void {
    if (!this.#connections.admit(connection)) return;
    this.#repeated.note({
      kind: "connections",
      level: "warn",
      message: `${this.path} has more than ${MAX_CONNECTIONS} connections: the one that was least in use was closed; find out who connects`,
    });
  }

  async #bind(): Promise<void> {
    this.#listener.off("error", this.#complain);
    this.#listener.listen(this.path);
    await once(this.#listener, "listening");
    // A connection that cannot be accepted, for want of file descriptors, is no reason to end.
    this.#listener.on("error", this.#complain);
    this.#inode = lstatSync(this.path, { throwIfNoEntry: false })?.ino;
  }

  /** Without it the socket is its owner's alone: root's API server can use it all the same. */
  #giveTo(group: number | undefined): void {
    if (group === undefined) return;
    try {
      giveToGroup(this.path, group);
    } catch (error) {
      this.#log(
        "warn",
        `provider ${this.provider.name}: its socket ${this.path} could not be given to group ${group}: ${messageOf(error)};` +
          ` run chmod g+s ${dirname(this.path)} and restart, or let claviger run in that group`,
      );
    }
  }

  #status(metadata: Metadata): StatusResponse {
    if (!hasSelfCheckHeader(metadata)) this.provider.asked();
    return { version: "v2", healthz: "ok", keyId: this.provider.status() };
  }

  #handler<Request extends object, Response>(
    operation: Operation,
    answer: (request: Request, metadata: Metadata) => Response | Promise<Response>,
  ): Unary<Request, Response> {
    return (call, reply) => {
      const started = performance.now();
      const done = (outcome: Observation["outcome"]) => {
        this.#connections.answered(call);
        this.#observe({
          provider: this.provider.name,
          operation,
          outcome,
          seconds: (performance.now() - started) / 1000,
        });
      };
      const fail = (error: unknown) => {
        reply(grpcError(error));
        done(codeOf(error));
        this.#logFailure(operation, call.request, error);
      };
      try {
        const response = answer(call.request, call.metadata);
        if (response instanceof Promise) {
          response.then((value) => {
            reply(null, value);
            done("OK");
          }, fail);
          return;
        }
        reply(null, response);
        done("OK");
      } catch (error) {
        fail(error);
      }
    };
  }

  /** Status fails every ten seconds while something is wrong, and the provider has logged it once. */
  #logFailure(operation: Operation, request: object, error: unknown): void {
    if (operation === "Status") return;
    const uid = "uid" in request ? String(request.uid).slice(0, 64) : undefined;
    const flaw = error instanceof Error && "flaw" in error ? String(error.flaw) : undefined;
    this.#repeated.note({
      kind: `${operation} ${codeOf(error)} ${flaw}`,
      level: "warn",
      message: `${operation} failed: ${messageOf(error)}`,
      fields: { provider: this.provider.name, uid, flaw },
    });
  }
}
