import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { type Answer, FakeApiServer, json, list, watch } from "../../src/testing/fake-api-server.ts";
import { Installation, masterKey } from "./installation.ts";
import { encryptSeed, expectOpens } from "./kms.ts";

const NODE = "node-1";
const KEY_SERVER = {
  apiVersion: "kms.claviger.dev/v1alpha1",
  kind: "KeyServer",
  metadata: { name: NODE, uid: "uid", resourceVersion: "1", generation: 1, creationTimestamp: "" },
};

/** Answers lists and watches, and accepts every other call without an answer. */
function onlyReads(onWrite: (what: string) => void): Answer {
  return (call) => {
    const { method, path, query } = call;
    if (query.get("watch") === "true") return watch([])(call);
    if (method !== "GET") return onWrite(`${method} ${path}`);
    if (path.endsWith("/keyservers")) return list(1, [KEY_SERVER])(call);
    if (query.has("limit")) return list(1, [])(call);
    if (path === `/api/v1/nodes/${NODE}`) return json({ metadata: { uid: "node" } })(call);
  };
}

it("a stop is no matter of the API server's answers: two versions that it does not take do not hold it up", async () => {
  await using installation = await Installation.create();
  await installation.manifest("second.yaml", masterKey("second"));
  const standalone = await installation.start("serve");
  await standalone.line(/MasterKey claviger-system\/second: version 1 is current/);
  await standalone.line(/MasterKey claviger-system\/secrets: version 1 is current/);
  // The leader has decided it. The key that the node serves shows that the node has followed.
  await installation.serving();
  await standalone.process.stop();

  const server = await FakeApiServer.start();
  try {
    const asked = Promise.withResolvers<void>();
    server.answer(onlyReads((what) => what.endsWith("/keyversions") && asked.resolve()));
    const { manifests: _, ...config } = parse(await readFile(installation.configPath, "utf8"));
    const beside = { ...config, nodeName: NODE, kubeconfig: server.kubeconfig };
    await installation.replace(installation.configPath, stringify(beside));
    const serve = await installation.start("serve");
    await installation.serving();
    const client = installation.client();
    await expectOpens(client, await encryptSeed(client, randomBytes(32)));
    await asked.promise;
    expect(await serve.process.stop()).toEqual({ code: 0, signal: null });
  } finally {
    await server.stop();
  }
});
