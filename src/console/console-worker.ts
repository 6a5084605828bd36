/**
 * The thread that serves the console. Whoever reaches the address decides how much work it has, so none of that
 * work is done on the operator's own thread, and all of it is bounded.
 */
import { createServer as createHttpServer, type Server } from "node:http";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import type { Socket } from "node:net";
import { setPriority } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import type { AddressMessage, ThreadAddress } from "../listening-thread.ts";
import { RateLimiter } from "../rate-limiter.ts";
import { ApiServer } from "./api-server.ts";
import type { ConsoleData, Renewable, ToConsole } from "./console-messages.ts";
import { Responder } from "./responder.ts";

/** The limit of open connections. A browser opens six; a new connection replaces the oldest. */
const MAX_CONNECTIONS = 64;
/** Fifty connections at once, then fifty a second. */
const ACCEPTS = { burst: 50, intervalMilliseconds: 20 };
/** Connections that wait in the kernel. */
const BACKLOG = 32;
/** The time for a request to come, and for a TLS handshake. */
const REQUEST_MILLISECONDS = 5_000;
/** A browser looks again within this time. */
const IDLE_MILLISECONDS = 15_000;
/** A token of 8 KB, and what browsers send. */
const MAX_HEAD_BYTES = 16 * 1024;
const MAX_REQUESTS_PER_SOCKET = 1_000;
/** On Linux this applies to this thread alone. Keys come first on a busy machine. */
const NICE = 10;

const port = parentPort;
if (port === null) throw new Error("console-worker.ts is started by console-thread.ts");
const data: ConsoleData & ThreadAddress = workerData;
if (process.platform === "linux") setPriority(NICE);

const tell = (message: AddressMessage): void => port.postMessage(message);
const open = new Set<Socket>();
const accepts = new RateLimiter(ACCEPTS);
let api = new ApiServer(data.trust);
const responder = new Responder({ site: data.site, page: data.page, isEncrypted: data.tls !== undefined });

const OPTIONS = {
  maxHeaderSize: MAX_HEAD_BYTES,
  headersTimeout: REQUEST_MILLISECONDS,
  requestTimeout: REQUEST_MILLISECONDS,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: IDLE_MILLISECONDS,
};
const server = serverOf(data);
server.maxRequestsPerSocket = MAX_REQUESTS_PER_SOCKET;
server.setTimeout(IDLE_MILLISECONDS, (socket: Socket) => socket.destroy());
server.on("request", (request, response) => void responder.answer(api, request, response));
// RFC 9110, 7.8: a request for another protocol goes on as if it had not asked.
server.on("clientError", (_error, socket) => socket.destroy());
server.on("connection", admit);
server.on("error", (error) => tell({ kind: "refused", reason: error.message }));
server.listen({ host: data.host, port: data.port, backlog: BACKLOG }, () => {
  // From here on, a connection that cannot be accepted does not end the thread.
  server.removeAllListeners("error").on("error", () => undefined);
  tell({ kind: "listening" });
});

port.on("message", (message: ToConsole) => {
  if (message.kind === "close") close();
  else renew(message.settings);
});

function serverOf({ tls }: ConsoleData): Server | HttpsServer {
  if (tls === undefined) return createHttpServer(OPTIONS);
  return createHttpsServer({ ...OPTIONS, ...tls, handshakeTimeout: REQUEST_MILLISECONDS });
}

function admit(socket: Socket): void {
  const [oldest] = open;
  if (oldest !== undefined && open.size >= MAX_CONNECTIONS) oldest.destroy();
  open.add(socket);
  socket.once("close", () => open.delete(socket));
  // This thread may sleep: callers wait in the kernel, and cost nothing there.
  const pause = accepts.spend("all", performance.now());
  if (pause > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pause);
}

/** Answers that wait for the former API server are still given. */
function renew({ trust, tls }: Renewable): void {
  api = new ApiServer(trust);
  if (tls !== undefined && "setSecureContext" in server) server.setSecureContext(tls);
}

function close(): void {
  server.close(() => port?.close());
  server.closeIdleConnections();
  api.close();
}
