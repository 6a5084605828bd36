import { afterAll, beforeAll, expect, it } from "vitest";
import type { NodeConfig } from "../config.ts";
import { FakeApiServer } from "../kube/fake-api-server.ts";
import { KubeStore } from "./kube-store.ts";
import { keyServer, keyVersion, masterKey, tombstone } from "./testing.ts";

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
    if (writes.size === 9) asked.resolve();
  });
  const config: Partial<NodeConfig> = { nodeName: "node-1", leaseNamespace: "claviger-system" };
  const store = new KubeStore(config as NodeConfig, server.kubeconfig, () => undefined);
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
    store.setMaterialExpiry(keyVersion(3), undefined),
    store.reportKeyServer("node-1", { prepared: [] }),
    store.deleteKeyServer(keyServer("node-2")),
  ]);
  const event = { type: "Normal", reason: "Because", message: "it is so" } as const;
  const recorded = store.recordEvent(masterKey(), event);
  await asked.promise;
  stop.abort();
  const outcomes = await made;
  expect(outcomes.map(({ status }) => status)).toEqual(Array(8).fill("rejected"));
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({
      reason: { message: expect.stringMatching(/not answered before the stop/) },
    });
  }
  await recorded;
  await ended;
});
