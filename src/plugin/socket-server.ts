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
import { RepeatedLog } from "../repeated-log.ts";
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
import { hasSelfCheckHeader } from "./self-check.ts";
import {
  type ClaimedSocket,
  claimSocket,
  giveToGroup,
  preparePrivateFolder,
  removeStaleSocket,
} from "./socket.ts";

/**
 * A request has at most a kilobyte of ciphertext and a kilobyte of key_id: claviger never returned
 * annotations.
 */
const MAX_REQUEST_BYTES = 16 * 1024;
/**
 * Each entry of an EncryptionConfiguration opens a connection. With the limits below, hostile callers can
 * make the plugin use at most about 300 MB: docs/threat-model.md.
 */
const MAX_CONNECTIONS = 64;
/** Concurrent calls on a connection: further calls wait in the caller (RFC 9113, 5.1.2). */
const MAX_STREAMS = 50;
/** The timeout of a connection without a call. API servers ask for Status every ten seconds. */
const IDLE_MILLISECONDS = 600_000;
/** Calls in flight at a stop must end within this time. The API server gives up after 3 s. */
const DRAIN_MILLISECONDS = 5_000;

const decrypted = (plaintext: Buffer): DecryptResponse => ({ plaintext });

/** Called for each call after its answer, with the request and the error that was thrown. */
type Observe = (observation: Observation, request: object, error?: unknown) => void;

type Unary<Request, Response> = (
  call: ServerUnaryCall<Request, Response>,
  reply: sendUnaryData<Response>,
) => void;

/** A provider on its socket. */
export class SocketServer {
  readonly provider: Provider;
  readonly path: string;
  readonly #log: Log;
  readonly #observe: Observe;
  readonly #health: Health;
  readonly #server: Server;
  /** Our own listener, because grpc-js's cannot end a silent connection without channelz. */
  readonly #listener = createServer();
  readonly #connections = new Connections(MAX_CONNECTIONS);
  /** For messages that callers can cause as often as they like. */
  readonly #repeated: RepeatedLog;
  readonly #complain = (error: Error) =>
    this.#repeated.note({ kind: "accept", level: "warn", message: `${this.path}: ${messageOf(error)}` });
  #socket: ClaimedSocket | undefined;
  #group: number | undefined;
  /** The inode of the file that our listener is bound to. */
  #inode: number | undefined;
  #mending = false;
  #closing = false;

  constructor(options: {
    readonly provider: Provider;
    readonly path: string;
    readonly log: Log;
    readonly observe: Observe;
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
      // Introspection of channels, which nobody uses here, costs a tenth of each call.
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

  /**
   * Updates the provider from the keyring, then listens on its socket, even if there is no key to serve yet.
   * Rejects with InUse if another process serves the path, and with ConfigInvalid if the path cannot be used.
   */
  async listen(group: number | undefined): Promise<void> {
    const socket = await claimSocket(this.path, group);
    try {
      await this.follow();
      await this.#bind();
      giveToGroup(this.provider.name, this.path, group, this.#log);
    } catch (error) {
      socket.release();
      throw error;
    }
    this.#socket = socket;
    this.#group = group;
    this.#log("info", `provider ${this.provider.name} listens`, { socket: this.path });
  }

  /**
   * Creates the socket again if somebody removed it, or if another process replaced it: an API server that
   * restarts would not find it. Open connections continue. Throws the reason if the socket cannot be created.
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
    // Checked first: nothing is removed or created in a folder that belongs to somebody else.
    preparePrivateFolder(dirname(this.path), this.#group);
    await removeStaleSocket(this.path);
    if (this.#closing) return;
    // Closed before the path is bound again, because closing removes the file at the path.
    this.#listener.close();
    await this.#bind();
    giveToGroup(this.provider.name, this.path, this.#group, this.#log);
    this.#log(
      "warn",
      `provider ${this.provider.name}: its socket ${this.path} was removed and is created again`,
    );
  }

  #isInPlace(): boolean {
    const found = lstatSync(this.path, { throwIfNoEntry: false });
    return found !== undefined && found.ino === this.#inode;
  }

  /** Stops serving, and gives the path to whoever wants to serve it next. Never rejects. */
  async close(): Promise<void> {
    await this.stop();
    this.release();
  }

  /** Stops accepting calls and finishes those in flight. The path stays locked until `release`. Never rejects. */
  async stop(): Promise<void> {
    this.#closing = true;
    this.#health.close();
    this.provider.close();
    // Its callback is not called if a session broke a moment before: node:http2 then calls nobody back. A
    // session ends its connection after its last answer, so connections are counted here.
    this.#server.tryShutdown(() => undefined);
    const disconnected = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    // Some peers neither finish a call nor hang up.
    const timer = setTimeout(() => this.#connections.destroy(), DRAIN_MILLISECONDS);
    await disconnected;
    clearTimeout(timer);
    this.#repeated.close();
  }

  /**
   * Removes the socket and unlocks its path. Another process's file at the path must not keep this process from
   * ending or from continuing.
   */
  release(): void {
    try {
      this.#socket?.release();
    } catch (error) {
      this.#log(
        "error",
        `provider ${this.provider.name}: its socket ${this.path} could not be removed: ${messageOf(error)}; remove what lies there`,
      );
    }
  }

  /** Updates the provider from the keyring, and the health check from the provider. */
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
      message: `${this.path} has more than ${MAX_CONNECTIONS} connections: the least used connection was closed; find out who connects`,
    });
  }

  async #bind(): Promise<void> {
    this.#listener.off("error", this.#complain);
    this.#listener.listen(this.path);
    await once(this.#listener, "listening");
    // If a connection cannot be accepted, because file descriptors ran out for example, the server continues.
    this.#listener.on("error", this.#complain);
    this.#inode = lstatSync(this.path, { throwIfNoEntry: false })?.ino;
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
      const done = (outcome: Observation["outcome"], error?: unknown) => {
        this.#connections.answered(call);
        const seconds = (performance.now() - started) / 1000;
        this.#observe({ provider: this.provider.name, operation, outcome, seconds }, call.request, error);
      };
      const fail = (error: unknown) => {
        reply(grpcError(error));
        done(codeOf(error), error);
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

  /** While something is wrong, Status fails every ten seconds, and the provider has logged it once. */
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
