import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { NodeConfig } from "../../config/config.ts";
import type { Log } from "../../log.ts";
import type { MasterKey } from "../../resources/resources.ts";
import { FakeApiServer, failure, json } from "../../testing/fake-api-server.ts";
import { condition, keyServer, keyVersion, masterKey, tombstone } from "../../testing/objects.ts";
import { KubeStore } from "./kube-store.ts";

const CONFIG = { nodeName: "node-1", leaseNamespace: "claviger-system" } as NodeConfig;
let server: FakeApiServer;

beforeAll(async () => {
  server = await FakeApiServer.start();
});
afterAll(() => server.stop());

it("a stop ends every write that the API server does not answer", async () => {
  const writes = new Set<string>();
  const asked = Promise.withResolvers<void>();
  server.answer(({ method, path }) => {
    if (method !== "GET") writes.add(`${method} ${path}`);
    if (writes.size === 10) asked.resolve();
  });
  const store = new KubeStore(CONFIG, server.kubeconfig, () => undefined);
  const stop = new AbortController();
  const ended = store.run(stop.signal, { onChange: () => undefined, onBegin: () => undefined });
  const version = keyVersion(1);
  const { seal } = version.spec;
  const { destroyed } = tombstone(2).spec;
  if (seal === undefined || destroyed === undefined) throw new Error("the builders make both");
  const made = Promise.allSettled([
    store.applyStatus<"MasterKey">(masterKey(), {}),
    store.createKeyVersion("one", version.spec),
    store.replaceSeal(version, seal),
    store.destroyVersion(keyVersion(2), destroyed),
    store.setFinalizers(masterKey(), []),
    store.setBinding(keyVersion(3), {}),
    store.reportKeyServer("node-1", { prepared: [] }),
    store.deleteKeyServer(keyServer("node-2")),
    store.setCondition(keyServer("node-3"), condition("Ready")),
  ]);
  const event = { type: "Normal", reason: "Because", message: "it is so" } as const;
  const recorded = store.recordEvent(masterKey(), event);
  await asked.promise;
  stop.abort();
  const outcomes = await made;
  expect(outcomes.map(({ status }) => status)).toEqual(Array(9).fill("rejected"));
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({
      reason: { message: expect.stringMatching(/did not answer before this operator had to stop/) },
    });
  }
  await recorded;
  await ended;
});

it("a condition of another node's KeyServer is applied alone: of the rest that node says what goes and stays", async () => {
  const applied: unknown[] = [];
  server.answer((call) => {
    call.body.then((body) => {
      applied.push(JSON.parse(body).status);
      json({})(call);
    });
  });
  const store = new KubeStore(CONFIG, server.kubeconfig, () => undefined);
  const prepared = [{ name: "k-1", versionId: "1" }];
  await store.setCondition(keyServer("node-2", { prepared }), condition("Ready"));
  expect(applied).toEqual([{ conditions: [condition("Ready")] }]);
});

it("what it records as an Event is logged too, whatever becomes of the Event", async () => {
  const taken: string[] = [];
  const refused = json({ kind: "Status", code: 403, message: "no Events here" }, 403);
  server.answer((call) => {
    taken.push(call.path);
    (taken.length === 1 ? json({}) : refused)(call);
  });
  const lines: string[] = [];
  const log: Log = (level, message, fields) =>
    lines.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`);
  const store = new KubeStore(CONFIG, server.kubeconfig, log);
  await store.recordEvent(masterKey(), {
    type: "Normal",
    reason: "VersionPromoted",
    message: "version 1 is current",
  });
  await store.recordEvent(keyServer("node-2"), {
    type: "Warning",
    reason: "NodeNotReady",
    message: "mend it",
  });
  expect(taken).toEqual([
    "/apis/events.k8s.io/v1/namespaces/apps/events",
    "/apis/events.k8s.io/v1/namespaces/default/events",
  ]);
  expect(lines).toEqual([
    'info MasterKey apps/secrets: version 1 is current {"reason":"VersionPromoted"}',
    'warn KeyServer node-2: mend it {"reason":"NodeNotReady"}',
    expect.stringMatching(/^warn event NodeNotReady of KeyServer node-2 was not recorded: .*no Events here/),
  ]);
});

it("another operator of the same nodeName is an error in the log, until it is gone", async () => {
  let holder: string | undefined;
  let other = true;
  let writes = 0;
  const lease = (holderIdentity: string) => ({
    metadata: { name: "claviger-node-node-1", uid: "u", resourceVersion: String(writes) },
    spec: { holderIdentity },
  });
  server.answer((call) => {
    const { method, path } = call;
    if (!path.includes("claviger-node-") && !path.endsWith("/leases")) return json({})(call);
    if (method === "GET" && holder === undefined) return failure(404, "no Lease yet")(call);
    if (method === "GET") return json(lease(other ? "node-1/other" : (holder ?? "")))(call);
    call.body.then((body) => {
      ({ holderIdentity: holder } = JSON.parse(body).spec);
      writes += 1;
      json(lease(holder ?? ""))(call);
    });
  });
  const lines: string[] = [];
  const log: Log = (level, message) => level !== "warn" && lines.push(`${level} ${message}`);
  const store = new KubeStore(CONFIG, server.kubeconfig, log, { heartbeatMilliseconds: 10 });
  const stop = new AbortController();
  const told: boolean[] = [];
  const ended = store.run(stop.signal, {
    onChange: () => undefined,
    onBegin: () => told.push(store.nameIsShared),
  });
  await store.reportKeyServer("node-1", { prepared: [] });
  await vi.waitFor(() => expect(told).toEqual([true]), { timeout: 60_000 });
  other = false;
  await vi.waitFor(() => expect(told).toEqual([true, false]), { timeout: 60_000 });
  stop.abort();
  await ended;
  expect(lines.filter((line) => /node-1/.test(line))).toEqual([
    "error another operator runs as node node-1: give one of the two a nodeName of its own and restart it",
    "info no other operator runs as node node-1 any more",
  ]);
});

it("this node's report is refused => its Lease is not renewed, until a report is taken again", async () => {
  let refusing = false;
  let refused = 0;
  let renewals = 0;
  server.answer((call) => {
    const { method, path } = call;
    if (path.endsWith("/keyservers/node-1/status") && refusing) {
      refused += 1;
      return failure(403, "a webhook refuses KeyServers")(call);
    }
    if (path.includes("claviger-node-") && method === "PUT") renewals += 1;
    json({ metadata: { name: "x", uid: "u", resourceVersion: "1" } })(call);
  });
  const lines: string[] = [];
  const log: Log = (level, message) => lines.push(`${level} ${message}`);
  const store = new KubeStore(CONFIG, server.kubeconfig, log, { heartbeatMilliseconds: 10 });
  const stop = new AbortController();
  const ended = store.run(stop.signal, { onChange: () => undefined, onBegin: () => undefined });
  await store.reportKeyServer("node-1", { versions: 1 });
  await vi.waitFor(() => expect(renewals).toBeGreaterThan(1), { timeout: 60_000 });
  refusing = true;
  await expect(store.reportKeyServer("node-1", { versions: 2 })).rejects.toThrow(/a webhook refuses/);
  // One renewal may have been in progress.
  await vi.waitFor(() => expect(refused).toBeGreaterThan(1), { timeout: 60_000 });
  const before = renewals;
  await vi.waitFor(() => expect(refused).toBeGreaterThan(3), { timeout: 60_000 });
  expect(renewals).toBe(before);
  expect(lines).toContainEqual(
    expect.stringMatching(/^warn this node's Lease was not renewed: .*a webhook refuses/),
  );
  refusing = false;
  await vi.waitFor(() => expect(renewals).toBeGreaterThan(before + 1), { timeout: 60_000 });
  stop.abort();
  await ended;
});

it("the API server asks to be left alone => this node's Lease is not tried again before", async () => {
  const tries: number[] = [];
  server.answer((call) => {
    const { method, path, response } = call;
    if (method === "GET" && path.includes("claviger-node-")) {
      tries.push(performance.now());
      response.setHeader("retry-after", "2");
      return failure(429, "too many requests")(call);
    }
    json({ metadata: { name: "x", uid: "u", resourceVersion: "1" } })(call);
  });
  const store = new KubeStore(CONFIG, server.kubeconfig, () => undefined, { heartbeatMilliseconds: 3_000 });
  const stop = new AbortController();
  const ended = store.run(stop.signal, { onChange: () => undefined, onBegin: () => undefined });
  await store.reportKeyServer("node-1", { versions: 1 });
  await vi.waitFor(() => expect(tries.length).toBeGreaterThan(1), { timeout: 60_000 });
  stop.abort();
  await ended;
  const [first = 0, second = 0] = tries;
  expect(second - first).toBeGreaterThan(1_900);
});

it("somebody else's fields are in a status => they are taken out after it is applied, and a refusal for them is got over", async () => {
  const stored = { ...masterKey(), status: { keyState: "Enabled", rotation: { running: { number: 9 } } } };
  const calls: unknown[] = [];
  let invalid = false;
  server.answer((call) => {
    const type = call.response.req.headers["content-type"];
    call.body.then((body) => {
      calls.push([type, JSON.parse(body).status]);
      if (invalid && type?.includes("apply")) failure(422, "too many conditions")(call);
      else json(stored)(call);
    });
  });
  const store = new KubeStore(CONFIG, server.kubeconfig, () => undefined);
  const corrected = ["application/merge-patch+json", { rotation: null }];
  await store.applyStatus<"MasterKey">(masterKey(), { keyState: "Enabled" });
  expect(calls).toEqual([["application/apply-patch+yaml", { keyState: "Enabled" }], corrected]);
  calls.length = 0;
  invalid = true;
  await store.applyStatus<"MasterKey">(stored as unknown as MasterKey, { keyState: "Enabled" });
  expect(calls.at(-1)).toEqual(corrected);
  await expect(store.applyStatus<"MasterKey">(masterKey(), { keyState: "Enabled" })).rejects.toThrow(
    /too many/,
  );
});
