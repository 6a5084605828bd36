import { rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { parseConfig } from "../../config/config.ts";
import { KubeClient } from "../../kube/client.ts";
import { type Answer, FakeApiServer, json } from "../../testing/fake-api-server.ts";
import { KubeStoredObjects } from "./kube-stored-objects.ts";
import { RewriterIdentity } from "./rewriter-identity.ts";

let fake: FakeApiServer;
let rewriter: string;

beforeAll(async () => {
  fake = await FakeApiServer.start();
});
beforeEach(() => {
  rewriter = fake.kubeconfigOf("rewriter");
});
afterAll(() => fake.stop());

const configOf = (changes: object) =>
  parseConfig(
    JSON.stringify({
      apiVersion: "config.claviger.dev/v1alpha1",
      kind: "NodeConfig",
      nodeName: "node-1",
      stateDir: "/var/lib/claviger",
      seal: { file: { path: "root.key" } },
      kubeconfig: fake.kubeconfig,
      ...changes,
    }),
    "/etc/claviger/claviger.yaml",
  );
const identityOf = (changes: object) => {
  const config = configOf(changes);
  return new RewriterIdentity(new KubeClient(fake.kubeconfig), config);
};
const withRewriter = () => identityOf({ rewriter: { kubeconfig: rewriter } });
const get = (client: KubeClient) => client.request({ method: "GET", path: "/apis" });

describe("the rewriter's identity", () => {
  test("every call of a task is made as its user, and none of the connections outlives the task", async () => {
    const seen: unknown[] = [];
    fake.answer((call) => {
      seen.push(call.response.req.headers.authorization);
      json({})(call);
    });
    await withRewriter().use(async (client) => {
      await Promise.all([get(client), get(client)]);
      expect(await fake.connections()).toBe(2);
    });
    expect(seen).toEqual(["Bearer rewriter", "Bearer rewriter"]);
    await vi.waitFor(async () => expect(await fake.connections()).toBe(0), { timeout: 30_000 });
  });

  test("its file is read when a task begins, not before", async () => {
    fake.answer(json({}));
    rmSync(rewriter);
    const identity = withRewriter();
    await expect(identity.use(get)).rejects.toThrow(
      /^kubeconfig \S+rewriter\.kubeconfig cannot be used: ENOENT.*; rewriter\.kubeconfig in \/etc\/claviger\/claviger\.yaml names it: docs\/install\/by-hand\.md, step 3/,
    );
    fake.kubeconfigOf("rewriter");
    await expect(identity.use(get)).resolves.toEqual({});
  });

  test("a file that is no kubeconfig => is named, and not quoted", async () => {
    writeFileSync(rewriter, "token: a-secret-token\n  - :");
    const error = await withRewriter().use(get).catch(String);
    expect(error).toMatch(/kubeconfig \S+rewriter\.kubeconfig cannot be used: .*step 3/);
    expect(error).not.toContain("a-secret-token");
  });

  test.each([
    [
      401,
      /renew the credentials in rewriter\.kubeconfig \S+rewriter\.kubeconfig \(docs\/install\/by-hand\.md, step 3\)$/,
    ],
    [
      403,
      /; apply deploy\/rewriter\.yaml, and see that the user of rewriter\.kubeconfig \S+ is in the group claviger:rewriters$/,
    ],
  ])("refused with %d => file and remedy", async (code, message) => {
    fake.answer(json({ kind: "Status", code, message: "refused" }, code));
    await expect(withRewriter().use(get)).rejects.toThrow(message);
  });

  test("none is configured => the operator's own user, and what to configure if that is forbidden", async () => {
    const seen: unknown[] = [];
    fake.answer((call) => {
      seen.push(call.response.req.headers.authorization);
      json({ kind: "Status", code: 403, message: "refused" }, 403)(call);
    });
    await expect(identityOf({}).use(get)).rejects.toThrow(
      /; set rewriter\.kubeconfig in the node's configuration and apply deploy\/rewriter\.yaml/,
    );
    expect(seen).toEqual(["Bearer a-token"]);
  });
});

/** Serves an API server with the resource secrets, which gives these answers to patches and lists. */
const serving =
  (onSecrets: Answer): Answer =>
  (call) => {
    const secrets = { resource: "secrets", scope: "Namespaced", verbs: ["list", "patch"] };
    if (call.path === "/api")
      return json({ items: [{ metadata: {}, versions: [{ version: "v1", resources: [secrets] }] }] })(call);
    return call.path.includes("/secrets") ? onSecrets(call) : json({ items: [], resources: [] })(call);
  };
const forbidden = {
  kind: "Status",
  code: 403,
  reason: "Forbidden",
  message:
    'secrets is forbidden: User "rewriter" cannot list resource "secrets" in API group "" at the cluster scope',
};
const options = () => ({ signal: new AbortController().signal, onProgress: () => undefined });

describe("stored objects", () => {
  test("resources that may not be listed => failures that name file and remedy", async () => {
    fake.answer(serving(json(forbidden, 403)));
    const config = configOf({ rewriter: { kubeconfig: rewriter } });
    const lease = { namespace: "claviger-system", name: "claviger-node-node-1" };
    const objects = new KubeStoredObjects(new KubeClient(fake.kubeconfig), config, lease);
    const request = { resources: ["secrets"], engine: "Claviger", kmsKeyId: "k" } as const;
    const { failed, failures } = await objects.rewrite(request, options());
    expect(failed).toBe(1);
    expect(failures).toEqual([
      {
        object: "secrets",
        reason: "Forbidden",
        message: `${forbidden.message}; apply deploy/rewriter.yaml, and see that the user of rewriter.kubeconfig ${rewriter} is in the group claviger:rewriters`,
      },
    ]);
  });
});
