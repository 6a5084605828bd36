import { once } from "node:events";
import { readFileSync } from "node:fs";
import { get as httpGet } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, test, vi } from "vitest";
import { parseConfig } from "../config/config.ts";
import type { Log } from "../log.ts";
import { type Call, FakeApiServer, json } from "../testing/fake-api-server.ts";
import { freeAddress } from "../testing/free-address.ts";
import { condition, masterKey } from "../testing/objects.ts";
import { type Console, serveConsole } from "./console.ts";
import type { Overview } from "./overview.ts";

const TOKEN = "callers-own.TOKEN_x";
let fake: FakeApiServer;
let seen: (string | undefined)[];
/** The console that most tests share. */
let shared: Served;
const closing: Console[] = [];
/** The last line of any console. */
let lastLog = "";

beforeAll(async () => {
  fake = await FakeApiServer.start();
  shared = await serve(await freeAddress());
});
afterAll(async () => {
  await Promise.all(closing.map((page) => page.close()));
  await fake.stop();
});
beforeEach(() => {
  seen = [];
});

interface Served {
  readonly address: string;
  readonly logged: readonly string[];
}

/** Serves a console for the fake API server, and waits until it listens. */
async function serve(address: string, section = ""): Promise<Served> {
  const logged: string[] = [];
  const log: Log = (level, message) => {
    lastLog = `${level}: ${message}`;
    logged.push(lastLog);
  };
  const text = `
apiVersion: config.claviger.dev/v1alpha1
kind: NodeConfig
nodeName: cp-1
stateDir: ./state
seal: { file: { path: ./root.key } }
kubeconfig: ${fake.kubeconfig}
console: { listen: "${address}"${section} }
`;
  const page = serveConsole(parseConfig(text, "/etc/claviger/claviger.yaml"), log);
  if (page !== undefined) closing.push(page);
  await vi.waitFor(() => expect(logged.at(-1)).toMatch(/^info: the console is served/), 30_000);
  return { address, logged };
}

/** Records the caller, and answers as if everybody might list MasterKeys and nothing else. */
function answering(call: Call): void {
  seen.push(call.response.req.headers.authorization);
  const refusal = { kind: "Status", code: 403, message: `${call.path} is forbidden\u202e<b>` };
  const answer = call.path.endsWith("/masterkeys") ? json({ items: [KEY] }) : json(refusal, 403);
  answer(call);
}
const KEY = masterKey({
  status: { conditions: [condition("Ready", { status: "False", reason: "NodeNotReady", message: "b" })] },
});

const ask = (path: string, headers: Readonly<Record<string, string>> = {}, method = "GET") =>
  fetch(`http://${shared.address}${path}`, { headers, method });
const overview = async (path = "/api/overview"): Promise<Response> =>
  ask(path, { authorization: `Bearer ${TOKEN}` });

test("every question to the API server has the caller's token, and none has claviger's", async () => {
  fake.answer(answering);
  const response = await overview();
  expect(response.status).toBe(200);
  expect(new Set(seen)).toEqual(new Set([`Bearer ${TOKEN}`]));
  expect(seen.length).toBe(5);
  const body = (await response.json()) as Overview;
  expect(body).toMatchObject({
    node: "cp-1",
    keys: { rows: [{ key: "apps/secrets" }], more: false },
    partial: true,
    problems: [{ object: "MasterKey apps/secrets", reason: "NodeNotReady" }],
  });
  // The API server's refusal, without a character that hides others.
  expect(body.nodes).toEqual({ refused: expect.stringMatching(/keyservers is forbidden\\u202e<b>$/) });
});

test("a token that the API server does not know is refused, after one question", async () => {
  fake.answer((call) => {
    seen.push(call.path);
    json({ kind: "Status", code: 401, message: "Unauthorized" }, 401)(call);
  });
  const response = await overview();
  expect([response.status, await response.json()]).toEqual([
    401,
    { message: "the API server does not accept this token" },
  ]);
  expect(seen).toHaveLength(1);
});

test("a namespace narrows the lists of what is in namespaces", async () => {
  fake.answer((call) => {
    seen.push(call.path);
    answering(call);
  });
  await overview("/api/overview?namespace=apps");
  expect(seen.filter((path) => path?.includes("/namespaces/apps/"))).toHaveLength(2);
});

test("an API server that does not answer is named, and the page is still there", async () => {
  fake.answer((call) => void call.response.destroy());
  const response = await overview();
  expect([response.status, await response.json()]).toEqual([
    502,
    { message: expect.stringMatching(/^the API server did not answer: /) },
  ]);
  expect((await ask("/")).status).toBe(200);
});

describe("every answer", () => {
  it.each([
    ["GET", "/", 200],
    ["HEAD", "/", 200],
    ["GET", "/console.js", 200],
    ["GET", "/nothing", 404],
    ["GET", "/api/overview", 401],
    ["POST", "/", 405],
  ])("of %s %s forbids other contents, frames and caches", async (method, path, status) => {
    const response = await ask(path, {}, method);
    expect(response.status).toBe(status);
    const { headers } = response;
    expect(headers.get("content-security-policy")).toMatch(/^default-src 'none'; script-src 'self'; /);
    expect(headers.get("content-security-policy")).not.toMatch(/unsafe|https?:|data:|\*/);
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("set-cookie")).toBeNull();
    expect(headers.get("access-control-allow-origin")).toBeNull();
  });

  it("a token of 8 KB passes, a head of 32 KB does not", async () => {
    fake.answer(answering);
    const long = await ask("/api/overview", { authorization: `Bearer ${"a".repeat(8_000)}` });
    expect(long.status).toBe(200);
    await expect(ask("/", { x: "a".repeat(32_768) })).rejects.toThrow("fetch failed");
  });

  it("many who ask at once are told to come again, and the API server is spared", async () => {
    fake.answer(answering);
    const answers = await Promise.all(Array.from({ length: 30 }, () => overview()));
    const statuses = new Set(answers.map(({ status }) => status));
    expect(statuses).toEqual(new Set([200, 429]));
  });

  it("another connection takes the place of the oldest of many that say nothing", async () => {
    const [host = "", port = ""] = shared.address.split(":");
    const silent = Array.from({ length: 80 }, () => connect(Number(port), host));
    for (const socket of silent) socket.on("error", () => undefined).resume();
    await Promise.all(silent.map((socket) => once(socket, "connect")));
    // fetch would write into a pooled connection that was replaced a moment before.
    const [response] = await once(httpGet(`http://${shared.address}/`, { agent: false }), "response");
    expect(response.resume().statusCode).toBe(200);
    for (const socket of silent) socket.destroy();
  });
});

test("with a certificate the page is served by TLS, and asks browsers to keep to it", async () => {
  const folder = dirname(fake.kubeconfig);
  const { address } = await serve(
    await freeAddress(),
    `, tls: { cert: "${join(folder, "cert.pem")}", key: "${join(folder, "key.pem")}" }`,
  );
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  httpsRequest(`https://${address}/`, { ca: readFileSync(join(folder, "cert.pem")) }, (response) => {
    resolve(response.resume().headers["strict-transport-security"]);
  })
    .once("error", reject)
    .end();
  expect(await promise).toBe("max-age=31536000");
});

test("an address that is taken is complained of once, and the page is served when it is free", async () => {
  const address = await freeAddress();
  const [host = "", port = ""] = address.split(":");
  const taken = createServer().listen(Number(port), host);
  await once(taken, "listening");
  const served = serve(address);
  await expect.poll(() => lastLog, { timeout: 30_000 }).toMatch(/EADDRINUSE/);
  taken.close();
  const { logged } = await served;
  expect(logged).toEqual([
    expect.stringMatching(/^error: the console is not served and is tried again: .+EADDRINUSE/),
    `info: the console is served at http://${address}/`,
  ]);
});
