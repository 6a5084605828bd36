import { afterAll, beforeAll, expect, test } from "vitest";
import { config, key, server } from "../../testing/doctor.ts";
import { type Answer, FakeApiServer, json } from "../../testing/fake-api-server.ts";
import { gatherCluster } from "./gather-cluster.ts";

let fake: FakeApiServer;

beforeAll(async () => {
  fake = await FakeApiServer.start();
});
afterAll(() => fake.stop());

/** A cluster in which this node's operator has every right except the given ones. */
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

test("verbs that read Secrets => are named if the node's own user has them", async () => {
  fake.answer(lacking("watch secrets", "patch secrets"));
  const { secretRights } = await gatherCluster(
    config({ kubeconfig: fake.kubeconfig }),
    new AbortController().signal,
  );
  expect(secretRights).toEqual({ kind: "seen", value: ["get", "list"] });
});

test.each([
  ["v1.29.15", ["validatingwebhookconfigurations"], false],
  ["v1.37.2", ["validatingadmissionpolicies", "validatingwebhookconfigurations"], true],
])("%s, which serves %j => its version, and if it can hold the guards", async (version, served, expected) => {
  fake.answer(async (call) => {
    if (call.path === "/version") return json({ major: "1", gitVersion: version })(call);
    if (call.path.endsWith("/admissionregistration.k8s.io/v1"))
      return json({ resources: served.map((name) => ({ name })) })(call);
    return lacking()(call);
  });
  const { kubernetes } = await gatherCluster(
    config({ kubeconfig: fake.kubeconfig }),
    new AbortController().signal,
  );
  expect(kubernetes).toEqual({ kind: "seen", value: { version, servesPolicies: expected } });
});

test("with a rewriter => its rights are asked for as its user, those of the node as the node's", async () => {
  const rewriter = fake.kubeconfigOf("rewriter");
  const asked = new Map<string, Set<string>>();
  fake.answer(async (call) => {
    const { authorization = "" } = call.response.req.headers;
    if (call.path.endsWith("reviews")) {
      const { resource, verb } = JSON.parse(await call.body).spec.resourceAttributes;
      asked.set(authorization, (asked.get(authorization) ?? new Set()).add(`${verb} ${resource}`));
    }
    lacking()(call);
  });
  await gatherCluster(
    config({ kubeconfig: fake.kubeconfig, rewriter: { kubeconfig: rewriter } }),
    new AbortController().signal,
  );
  expect(asked).toEqual(
    new Map([
      ["Bearer a-token", new Set(["get secrets", "list secrets", "watch secrets", "patch secrets"])],
      ["Bearer rewriter", new Set(["list apiservices", "list secrets", "get secrets", "patch secrets"])],
    ]),
  );
});

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

const withKubeadm =
  (answer: Answer): Answer =>
  (call) =>
    call.path.endsWith("/kubeadm-config") ? answer(call) : lacking()(call);

test.each<[string, Answer, object]>([
  [
    "kubeadm's configuration => its flags and mounts",
    json({
      data: { ClusterConfiguration: "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n" },
    }),
    { kind: "seen", value: { flags: new Map(), mounts: new Set() } },
  ],
  ["no kubeadm => no failure", json({ message: "not found" }, 404), { kind: "absent" }],
  ["rights of an earlier release => no failure", json({ message: "forbidden" }, 403), { kind: "absent" }],
  ["an API server that fails => a failure", json({ message: "no" }, 500), { kind: "failed" }],
])("%s", async (_, answer, expected) => {
  fake.answer(withKubeadm(answer));
  const { kubeadm } = await gatherCluster(
    config({ kubeconfig: fake.kubeconfig }),
    new AbortController().signal,
  );
  expect(kubeadm).toMatchObject(expected);
});
