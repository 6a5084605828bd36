import { afterAll, beforeAll, expect, test } from "vitest";
import { KubeClient } from "../../kube/client.ts";
import { type Answer, FakeApiServer, json } from "../../testing/fake-api-server.ts";
import { condition, keyId, masterKey } from "../../testing/objects.ts";
import { lookAtCluster } from "./gather-cluster.ts";

let fake: FakeApiServer;
beforeAll(async () => {
  fake = await FakeApiServer.start();
});
afterAll(() => fake.stop());

const key = masterKey({
  status: {
    keyId: keyId(1),
    keyState: "Enabled",
    rotation: { nextRotationTime: "2027-01-02T03:04:05Z" },
    conditions: [
      condition("Ready", { status: "False", reason: "NodeNotHeardOf", message: "node b is silent" }),
      condition("Reencrypted", { status: "True", reason: "Verified", message: "" }),
    ],
  },
});

/** A cluster with one key, in which a tenant may see nothing but MasterKeys of the namespace. */
const tenants: Answer = (call) => {
  if (call.path.endsWith("/namespaces/apps/masterkeys")) return json({ items: [key] })(call);
  return json({ kind: "Status", reason: "Forbidden", message: "no", code: 403 }, 403)(call);
};

test("a tenant may list MasterKeys only => the keys of the namespace, without nodes", async () => {
  fake.answer(tenants);
  const client = new KubeClient(fake.kubeconfig);
  const { report, wrong } = await lookAtCluster(client, "apps", new AbortController().signal);
  client.close();
  expect(report.nodes).toBeUndefined();
  expect(report.keys).toMatchObject([
    {
      key: "apps/secrets",
      state: "Enabled",
      nextRotation: "2027-01-02T03:04:05Z",
      storedData: { reason: "Verified" },
    },
  ]);
  expect(wrong).toEqual(["MasterKey apps/secrets is not ready: NodeNotHeardOf: node b is silent"]);
});

test("nobody may list MasterKeys => the API server's refusal", async () => {
  fake.answer(tenants);
  const client = new KubeClient(fake.kubeconfig);
  await expect(lookAtCluster(client, undefined, new AbortController().signal)).rejects.toThrow(
    /masterkeys.*no/s,
  );
  client.close();
});
