/**
 * A program that scrapes PORT of this host as fast as it can, until it is ended: one connection
 * after another with 2,000 pipelined requests, and twelve loops that connect again and again.
 * If root starts it, it becomes a user without any rights first.
 */
import { connect } from "node:net";

const NOBODY = 65_534;
const REQUEST = "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";
const LOOPS = [2_000, ...Array.from({ length: 12 }, () => 200)];

if (process.getuid?.() === 0) {
  process.setgroups?.([]);
  process.setgid?.(NOBODY);
  process.setuid?.(NOBODY);
}
const port = Number(process.argv[2]);
let connections = 0;
let answers = 0;

/** Opens a connection with this many requests, and the next when it has ended. */
function flood(requests: number): void {
  let unanswered = 0;
  const ask = () => {
    unanswered = requests;
    socket.write(REQUEST.repeat(requests));
  };
  const socket = connect(port, "127.0.0.1", () => {
    connections += 1;
    ask();
  });
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => {
    const answered = chunk.toString("latin1").split("HTTP/1.1 200 OK").length - 1;
    answers += answered;
    unanswered -= answered;
    // A server that keeps the connection open gets as many again.
    if (unanswered === 0) ask();
  });
  // After a refusal it retries at once.
  socket.once("close", () => setImmediate(flood, requests));
}

for (const requests of LOOPS) flood(requests);
setInterval(() => process.stdout.write(`connections=${connections} answers=${answers}\n`), 100);
