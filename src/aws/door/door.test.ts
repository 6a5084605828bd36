import { once } from "node:events";
import { copyFileSync, writeFileSync } from "node:fs";
import { Agent, type AgentOptions, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { selfSigned } from "../../testing/certificate.ts";
import { freeAddress } from "../../testing/free-address.ts";
import { temporaryFolder } from "../../testing/keyring.ts";
import { Door } from "./door.ts";
import { Handler, type WireRequest } from "./handler.ts";
import { jsonReply, type Reply } from "./reply.ts";
import { TlsFiles, type TlsPair } from "./tls-files.ts";

let door: Door | undefined;
afterEach(() => door?.drain());

interface Served {
  readonly address: string;
  readonly seen: (readonly [string, WireRequest])[];
}

/** Opens a door whose API gives this answer. */
async function open(
  reply: () => Promise<Reply> = async () => jsonReply("{}"),
  isReady = true,
  tls?: TlsPair,
): Promise<Served> {
  const seen: (readonly [string, WireRequest])[] = [];
  const address = await freeAddress();
  const handler = new Handler({
    answer: (_id, target, wire) => {
      seen.push([target, wire]);
      return reply();
    },
    isReady: () => isReady,
  });
  door = await Door.open({
    listen: address,
    tls,
    answer: (request, response) => void handler.handle(request, response),
  });
  return { address, seen };
}

/** Sends raw bytes and returns everything that comes back until the connection ends. */
async function raw(address: string, text: string): Promise<string> {
  const socket = await connected(address);
  socket.write(text);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(Buffer.from(chunk)));
  await once(socket, "close");
  return Buffer.concat(chunks).toString("latin1");
}

async function connected(address: string): Promise<Socket> {
  const [host = "", port = ""] = address.split(":");
  const socket = connect(Number(port), host);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

const head = (...more: string[]) =>
  ["POST / HTTP/1.1", "Host: x", "Connection: close", ...more, "", ""].join("\r\n");

describe("the door", () => {
  it("hands the request on as it came, and answers with a request id and the time", async () => {
    const { address, seen } = await open();
    const response = await fetch(`http://${address}/?a=b`, {
      method: "POST",
      headers: { "X-Amz-Target": "TrentService.ListKeys" },
      body: "{}",
    });
    expect(response.headers.get("x-amzn-requestid")).toMatch(/^[0-9a-f-]{36}$/);
    expect(Math.abs(Date.parse(response.headers.get("date") ?? "") - Date.now())).toBeLessThan(60_000);
    expect(response.headers.has("age")).toBe(false);
    const [[target, wire] = []] = seen;
    expect(target).toBe("TrentService.ListKeys");
    expect(wire).toMatchObject({ method: "POST", query: "a=b", body: Buffer.from("{}") });
    expect(wire?.headers).toContain("X-Amz-Target");
  });

  it.each([
    ["GET", "/livez", 200],
    ["HEAD", "/readyz", 200],
    ["GET", "/", 400],
    ["PUT", "/", 400],
    ["POST", "/other", 400],
    ["POST", "//", 400],
  ])("%s %s => %d, without the API", async (method, path, status) => {
    const { address, seen } = await open();
    expect((await fetch(`http://${address}${path}`, { method })).status).toBe(status);
    expect(seen).toEqual([]);
  });

  it("says that it is not ready, and lives", async () => {
    const { address } = await open(undefined, false);
    expect((await fetch(`http://${address}/readyz`)).status).toBe(503);
    expect((await fetch(`http://${address}/livez`)).status).toBe(200);
  });

  it.each([
    ["a length that is too large", head("Content-Length: 262145")],
    [
      "chunks that are too large together",
      `${head("Transfer-Encoding: chunked")}${`10000\r\n${"a".repeat(65_536)}\r\n`.repeat(5)}0\r\n\r\n`,
    ],
  ])("a body with %s => 413, and the API does not see it", async (_, request) => {
    const { address, seen } = await open();
    expect(await raw(address, request)).toMatch(/^HTTP\/1.1 413 /);
    expect(seen).toEqual([]);
  });

  it.each([
    ["two lengths", `${head("Content-Length: 2", "Content-Length: 3")}{}`],
    ["a length and chunks", `${head("Content-Length: 5", "Transfer-Encoding: chunked")}0\r\n\r\n`],
    ["a header of 20 KB", head(`X-Amz-Security-Token: ${"a".repeat(20_000)}`)],
    ["no HTTP", "\u0016\u0003\u0001\u0002\u0000\r\n\r\n"],
  ])("%s => the connection is closed, and the API does not see it", async (_, request) => {
    const { address, seen } = await open();
    expect(await raw(address, request)).not.toMatch(/^HTTP\/1.1 200/);
    expect(seen).toEqual([]);
  });

  it("300 clients that never send the rest of their requests take nobody's place", async () => {
    const { address, seen } = await open();
    const slow = await Promise.all(Array.from({ length: 300 }, () => connected(address)));
    for (const socket of slow) socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{");
    for (let call = 0; call < 20; call++)
      expect((await fetch(`http://${address}/`, { method: "POST", body: "{}" })).status).toBe(200);
    expect(seen).toHaveLength(20);
    for (const socket of slow) socket.destroy();
  });

  it("more answers due at once than the API has room for => ThrottlingException, which says when to come again", async () => {
    const answer = Promise.withResolvers<Reply>();
    const { address, seen } = await open(() => answer.promise);
    const post = () => fetch(`http://${address}/`, { method: "POST", body: "{}" });
    const accepted = Array.from({ length: 256 }, post);
    await expect.poll(() => seen.length, { timeout: 60_000 }).toBe(256);
    const shed = await post();
    expect([shed.status, shed.headers.get("x-amz-retry-after")]).toEqual([400, "200"]);
    expect(await shed.json()).toMatchObject({ __type: "ThrottlingException" });
    answer.resolve(jsonReply("{}"));
    const statuses = await Promise.all(accepted.map(async (reply) => (await reply).status));
    expect(new Set(statuses)).toEqual(new Set([200]));
  });

  it("an address that is taken => InUse, which names it", async () => {
    const { address } = await open();
    await expect(Door.open({ listen: address, answer: () => undefined })).rejects.toMatchObject({
      code: "InUse",
      message: expect.stringContaining(address),
    });
  });
});

/** Makes a certificate and its key in a folder, as an administrator does. */
function makePair(folder: string, name: string) {
  const paths = { cert: join(folder, "tls.crt"), key: join(folder, "tls.key") };
  selfSigned(paths, { name });
  return paths;
}

/** A client for each kind of door. */
const CLIENTS = [
  {
    kind: "HTTP",
    pair: () => undefined,
    agentOf: (options: AgentOptions) => new Agent(options),
    request: (address: string, agent: Agent) => httpRequest(`http://${address}/`, { method: "POST", agent }),
  },
  {
    kind: "HTTPS",
    pair: () => {
      using folder = temporaryFolder();
      return new TlsFiles(makePair(folder.path, "door")).read();
    },
    agentOf: (options: AgentOptions) => new TlsAgent({ ...options, rejectUnauthorized: false }),
    request: (address: string, agent: Agent) => tlsRequest(`https://${address}/`, { method: "POST", agent }),
  },
];

describe.each(CLIENTS)("the connections of a door over $kind", ({ pair, agentOf, request }) => {
  it("1,100 silent connections replace each other; a client that was answered keeps its own", async () => {
    const { address } = await open(undefined, true, pair());
    const agent = agentOf({ keepAlive: true, maxSockets: 1 });
    const post = async () => {
      const sent = request(address, agent);
      sent.end("{}");
      const [response]: IncomingMessage[] = await once(sent, "response");
      response?.resume();
      await once(response ?? sent, "end");
      return [response?.statusCode, sent.reusedSocket];
    };
    expect(await post()).toEqual([200, false]);
    const silent: Socket[] = [];
    for (let batch = 0; batch < 11; batch++) {
      silent.push(...(await Promise.all(Array.from({ length: 100 }, () => connected(address)))));
      expect(await post()).toEqual([200, true]);
    }
    await expect.poll(() => silent.filter(({ closed }) => closed).length, { timeout: 60_000 }).toBe(77);
    for (const socket of silent) socket.destroy();
    agent.destroy();
  });

  it("at a stop, a request in flight is answered and its connection closed; new ones are refused", async () => {
    const answer = Promise.withResolvers<Reply>();
    const { address, seen } = await open(() => answer.promise, true, pair());
    const agent = agentOf({ keepAlive: true });
    const sent = request(address, agent);
    const response = once(sent, "response");
    sent.end("{}");
    await expect.poll(() => seen.length, { timeout: 60_000 }).toBe(1);
    const drained = door?.drain();
    await expect(connected(address)).rejects.toThrow("ECONNREFUSED");
    answer.resolve(jsonReply('{"done":true}'));
    const [message]: IncomingMessage[] = await response;
    expect(message?.headers.connection).toBe("close");
    message?.resume();
    await drained;
    agent.destroy();
    door = undefined;
  });
});

/** Returns the name in the certificate of a new connection. */
async function nameAt(address: string): Promise<string | undefined> {
  const [host = "", port = ""] = address.split(":");
  const socket = connectTls({ host, port: Number(port), rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const name = socket.getPeerCertificate().subject.CN;
  socket.destroy();
  return typeof name === "string" ? name : undefined;
}

describe("certificates", () => {
  it("that were renewed are those of new connections; a pair that does not go together changes nothing", async () => {
    using folder = temporaryFolder();
    const files = new TlsFiles(makePair(folder.path, "first"));
    const listen = await freeAddress();
    door = await Door.open({ listen, tls: files.read(), answer: (_, response) => void response.end() });
    expect(await nameAt(listen)).toBe("first");
    expect(files.renewed()).toBeUndefined();
    const { key } = makePair(folder.path, "second");
    const pair = files.renewed();
    if (pair !== undefined) door.renew(pair);
    expect(await nameAt(listen)).toBe("second");
    using other = temporaryFolder();
    copyFileSync(makePair(other.path, "third").key, key);
    expect(() => files.renewed()).toThrow("do not go together");
    expect(await nameAt(listen)).toBe("second");
  });

  it("that cannot be used are named", () => {
    using folder = temporaryFolder();
    const paths = { cert: join(folder.path, "tls.crt"), key: join(folder.path, "tls.key") };
    expect(() => new TlsFiles(paths).read()).toThrow(`${paths.cert} of the AWS KMS API cannot be used`);
    writeFileSync(paths.cert, "no certificate");
    writeFileSync(paths.key, "no key");
    expect(() => new TlsFiles(paths).read()).toThrow("do not go together");
  });
});
