/**
 * The thread that speaks HTTP for metrics-server.ts. Anybody who can reach the address decides how much work
 * it has, so none of that work is done on the thread that answers the API server.
 */
import { createServer, type Socket } from "node:net";
import { setPriority } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import type { AddressMessage, CloseMessage, ThreadAddress } from "../listening-thread.ts";
import { RateLimiter } from "../rate-limiter.ts";
import { decideReply, MAX_HEAD_BYTES, type Reply, responseHead } from "./metrics-request.ts";

/** A message from the main thread to this thread. */
export type ToWorker =
  /** The answer to `render`. Without a body the rendering failed. */
  { readonly kind: "rendered"; readonly body: Uint8Array | undefined } | CloseMessage;

/** A message from this thread to the main thread. */
export type FromWorker = AddressMessage | { readonly kind: "render" };

/** How long one rendering is returned to everybody who asks. */
const FRESH_MILLISECONDS = 1_000;
/** The limit of open connections. Prometheus needs one for a moment; a new connection replaces the oldest. */
const MAX_CONNECTIONS = 32;
/** Fifty connections at once, then fifty a second. */
const ACCEPTS = { burst: 50, intervalMilliseconds: 20 };
/** Connections that wait in the kernel. The kernel lets further callers retry after a second. */
const BACKLOG = 32;
const REQUEST_MILLISECONDS = 2_000;
/** The timeout of a whole connection, including the time that a slow reader needs for the response. */
const CONNECTION_MILLISECONDS = 10_000;
/** How long a caller may take to hang up after its response. */
const LINGER_MILLISECONDS = 1_000;
/**
 * How much is read and discarded after the request. Closing at once could take the response from its reader
 * (RFC 9112, 9.6).
 */
const MAX_DISCARDED_BYTES = 64 * 1024;
/** On Linux this applies to this thread alone. Keys come first on a busy machine. */
const NICE = 10;
const EMPTY = new Uint8Array();

const port = parentPort;
if (port === null) throw new Error("metrics-worker.ts is started by metrics-server.ts");
const { host, port: number }: ThreadAddress = workerData;
if (process.platform === "linux") setPriority(NICE);

const tell = (message: FromWorker): void => port.postMessage(message);
const open = new Set<Socket>();
/** Connections whose request is complete. */
const asked = new WeakSet<Socket>();
const waiting = new Set<Socket>();
const accepts = new RateLimiter(ACCEPTS);
let rendering = false;
let rendered: { readonly body: Uint8Array | undefined; readonly until: number } | undefined;

// A caller may close its half after the request, and still gets the response.
const server = createServer({ allowHalfOpen: true }, accept);
server.on("error", (error) => tell({ kind: "refused", reason: error.message }));
server.listen({ host, port: number, backlog: BACKLOG }, () => {
  // From here on, a connection that cannot be accepted does not end the thread.
  server.removeAllListeners("error").on("error", () => undefined);
  tell({ kind: "listening" });
});

port.on("message", (message: ToWorker) => {
  if (message.kind === "close") close();
  else deliver(message.body);
});

function accept(socket: Socket): void {
  admit(socket);
  // Node cannot stop accepting without giving up the address, which another user could then take. This thread
  // may sleep: callers wait in the kernel, and cost nothing there.
  const pause = accepts.spend("all", performance.now());
  if (pause > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pause);
}

function admit(socket: Socket): void {
  const [oldest] = open;
  if (oldest !== undefined && open.size >= MAX_CONNECTIONS) oldest.destroy();
  open.add(socket);
  const limits = [
    setTimeout(() => asked.has(socket) || socket.destroy(), REQUEST_MILLISECONDS),
    setTimeout(() => socket.destroy(), CONNECTION_MILLISECONDS),
  ];
  socket.on("error", () => undefined);
  socket.once("close", () => {
    for (const limit of limits) clearTimeout(limit);
    open.delete(socket);
    waiting.delete(socket);
  });
  socket.once("end", () => asked.has(socket) || socket.destroy());
  read(socket);
}

/** Reads one request, and discards everything after it on the connection. */
function read(socket: Socket): void {
  let received = Buffer.alloc(0);
  let discarded = 0;
  socket.on("data", (chunk: Buffer) => {
    if (asked.has(socket)) {
      discarded += chunk.length;
      if (discarded > MAX_DISCARDED_BYTES) socket.destroySoon();
      return;
    }
    // One byte more than the limit of a head shows that the head is too large.
    received = Buffer.concat([received, chunk.subarray(0, MAX_HEAD_BYTES + 1 - received.length)]);
    const reply = decideReply(received);
    if (reply === undefined) return;
    asked.add(socket);
    received = Buffer.alloc(0);
    answer(socket, reply);
  });
}

function answer(socket: Socket, { status, text }: Reply): void {
  // HEAD renders nothing, and so does not know the length of the text.
  if (!text) respond(socket, status, status === 200 ? undefined : EMPTY);
  else if (rendered !== undefined && performance.now() < rendered.until) respondText(socket, rendered.body);
  else wait(socket);
}

/** Only one rendering is in flight, however many callers wait for it. */
function wait(socket: Socket): void {
  waiting.add(socket);
  if (rendering) return;
  rendering = true;
  tell({ kind: "render" });
}

function deliver(body: Uint8Array | undefined): void {
  rendering = false;
  rendered = { body, until: performance.now() + FRESH_MILLISECONDS };
  for (const socket of waiting) respondText(socket, body);
  waiting.clear();
}

function respondText(socket: Socket, body: Uint8Array | undefined): void {
  if (body === undefined) respond(socket, 500, EMPTY);
  else respond(socket, 200, body);
}

function respond(socket: Socket, status: Reply["status"], body: Uint8Array | undefined): void {
  socket.cork();
  socket.write(responseHead(status, body?.length));
  socket.end(body ?? EMPTY);
  socket.once("finish", () => {
    const linger = setTimeout(() => socket.destroy(), LINGER_MILLISECONDS);
    socket.once("close", () => clearTimeout(linger));
  });
}

/** Ends when the requests are answered. The main thread does not wait for long. */
function close(): void {
  server.close(() => port?.close());
  for (const socket of open) if (!asked.has(socket)) socket.destroy();
}
