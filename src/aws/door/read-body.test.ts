import type { IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { freeAddress } from "../../testing/free-address.ts";
import { deadline } from "../../testing/keyring.ts";
import { BodyMemory } from "./body-memory.ts";
import { Door } from "./door.ts";
import { type BodyRefusal, GrowingBody } from "./growing-body.ts";
import { Handler, type WireRequest } from "./handler.ts";
import { jsonReply } from "./reply.ts";

let door: Door;
let address: string;
let requests: IncomingMessage[];
let bodies: WireRequest["body"][];
let sockets: Socket[];
beforeEach(async () => {
  requests = [];
  bodies = [];
  sockets = [];
  address = await freeAddress();
  const handler = new Handler({
    answer: async (_id, _target, { body }) => {
      bodies.push(body);
      return jsonReply("{}");
    },
    isReady: () => true,
  });
  door = await Door.open({
    listen: address,
    answer: (request, response) => {
      requests.push(request);
      void handler.handle(request, response);
    },
  });
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await door.drain();
});

/** Sends the beginning of a request on each of so many connections, and waits until all of it has arrived. */
async function begin(count: number, text: string): Promise<Socket[]> {
  const [host = "", port = ""] = address.split(":");
  const arrived = () => requests.filter((request) => request.socket.bytesRead >= text.length).length;
  const before = arrived();
  const opened = Array.from({ length: count }, () => connect(Number(port), host));
  sockets.push(...opened);
  for (const socket of opened) socket.on("error", () => undefined).write(text);
  await expect.poll(arrived, deadline).toBeGreaterThanOrEqual(before + count);
  return opened;
}

const head = (...more: string[]) => ["POST / HTTP/1.1", "Host: x", ...more, "", ""].join("\r\n");
const post = (body: string | Buffer) =>
  fetch(`http://${address}/`, { method: "POST", body: Buffer.from(body) });

/** Returns the memory that is in use, without garbage. */
function memory(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

test.each([0, 1, 4_096, 4_097, 40_000, 262_144])(
  "a body of %d bytes arrives as it was sent",
  async (length) => {
    const body = Buffer.from(Array.from({ length }, (_, at) => at % 251));
    expect((await post(body)).status).toBe(200);
    const chunked = new ReadableStream({
      start(controller) {
        for (let at = 0; at < length; at += 1_000) controller.enqueue(body.subarray(at, at + 1_000));
        controller.close();
      },
    });
    const streamed = { method: "POST", body: chunked, duplex: "half" } as const;
    expect((await fetch(`http://${address}/`, streamed)).status).toBe(200);
    expect(bodies.map((seen) => body.equals(seen))).toEqual([true, true]);
  },
);

test("bodies in chunks of one byte take the memory of their bytes", async () => {
  const before = memory();
  await begin(5, head("Transfer-Encoding: chunked") + "1\r\nx\r\n".repeat(8_000));
  expect(memory() - before).toBeLessThan(3 * 1024 * 1024);
});

/** Begins large bodies until there is no memory for one more. */
async function fillMemory(): Promise<void> {
  const large = head("Content-Length: 262144") + LARGE;
  for (let count = 0; (await post(LARGE)).status === 200; count += 40) {
    expect(count).toBeLessThan(200);
    await begin(40, large);
  }
}

const LARGE = "x".repeat(140_000);

test("large bodies that never end => others are shed, small ones are answered; both use their connections on", async () => {
  await fillMemory();
  const [client] = await begin(1, head("Content-Length: 140000") + LARGE.slice(1));
  let replies = "";
  client?.on("data", (data) => {
    replies += data.toString("latin1");
  });
  await expect.poll(() => replies, deadline).toContain('"ThrottlingException"');
  client?.write(`x${head("Content-Length: 30000")}${"x".repeat(30_000)}`);
  await expect.poll(() => replies, deadline).toContain("HTTP/1.1 200 OK");
  for (const socket of sockets) socket.destroy();
  await expect.poll(async () => (await post(LARGE)).status, deadline).toBe(200);
});

test("the memory of 146 bodies of 256 KiB is lent; small bodies need none, and what was lent comes back", () => {
  const memory = new BodyMemory();
  const read = (length: number) => {
    const share = memory.body();
    const body = new GrowingBody(share);
    let refusal: BodyRefusal | undefined;
    for (let size = 0; size < length && refusal === undefined; size += 1_024)
      refusal = body.add(Buffer.alloc(1_024));
    return { share, refusal };
  };
  const lent = Array.from({ length: 147 }, () => read(262_144));
  expect(lent.filter(({ refusal }) => refusal !== undefined)).toEqual([lent[146]]);
  expect(lent[146]?.refusal).toBe("no-memory");
  expect(read(32_768).refusal).toBeUndefined();
  lent[146]?.share[Symbol.dispose]();
  lent[0]?.share[Symbol.dispose]();
  expect(read(262_144).refusal).toBeUndefined();
  expect(read(262_144).refusal).toBe("no-memory");
});
