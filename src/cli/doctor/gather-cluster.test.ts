import { afterAll, beforeAll, expect, test } from "vitest";
import { type Answer, FakeApiServer, json } from "../../kube/fake-api-server.ts";
import { gatherCluster } from "./gather-cluster.ts";
import { config, key, server } from "./testing.ts";

let fake: FakeApiServer;

beforeAll(async () => {
  fake = await FakeApiServer.start();
});
afterAll(() => fake.stop());

/** A cluster in which this node's operator has a right unless it is said here. */
const lacking =
  (...missing: string[]): Answer =>
  async (call) => {
    const kind = call.path.split("/").at(-1);
    if (kind === "masterkeys") return json({ items: [key()] })(call);
    if (kind === "keyservers") return json({ items: [server("node-1")] })(call);
    if (kind !== "selfsubjectaccessreviews") return json({ items: [] })(call);
    const { resource, verb } = JSON.parse(await call.body).spec.resourceAttributes;
    return json({ status: { allowed: !missing.includes(`${verb} ${resource}`) } })(call);
  };

test.each([
  [[], []],
  [["patch secrets"], [{ resource: "secrets", verbs: ["patch"] }]],
  [["get secrets"], [{ resource: "secrets", verbs: ["get"] }]],
])("of what the rewriter does it may not %j => %j", async (missing, found) => {
  fake.answer(lacking(...missing));
  const { rights } = await gatherCluster(
    config({ kubeconfig: fake.kubeconfig }),
    new AbortController().signal,
  );
  expect(rights).toEqual({ kind: "seen", value: found });
});
