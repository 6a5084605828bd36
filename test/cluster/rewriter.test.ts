import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KubeClient } from "../../src/kube/client.ts";
import type { KubeRequest } from "../../src/kube/request.ts";
import { CallLimiter } from "../../src/storage/rewrite/call-limiter.ts";
import type { ObjectMetadata } from "../../src/storage/rewrite/metadata-pages.ts";
import { rewriteObject } from "../../src/storage/rewrite/rewrite-object.ts";
import type { Cursor, RewriteProgress } from "../../src/storage/rewrite/rewrite-report.ts";
import { type RewriteOptions, rewrite } from "../../src/storage/rewrite/rewriter.ts";
import { apiResources } from "../../src/storage/served/api-resources.ts";
import type { ApiResource } from "../../src/storage/served/discovery.ts";
import type { ApiServer } from "../controlplane/apiserver.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { type ControlPlane, startControlPlane } from "../controlplane/controlplane.ts";
import { eventually } from "../controlplane/wait.ts";

const binaries = await controlPlaneBinaries();

const RESOURCES = ["secrets", "configmaps", "widgets.test.claviger.dev"];
const [OLD, NEW] = ["old", "new"].map((name) => ({ name, secret: randomBytes(32).toString("base64") }));
/** A user with the rewriter's rights. An administrator is never told that the server is busy. */
const USER = { name: "rewriter", token: randomBytes(16).toString("hex"), groups: ["rewriters"] };

/** Two API servers share an etcd: objects of the first are stale for the second. */
describe.skipIf(binaries === undefined)("a rewrite of what API servers stored", () => {
  let plane: ControlPlane;
  let client: KubeClient;
  let admin: KubeClient;
  const signal = new AbortController().signal;

  beforeAll(async () => {
    plane = await startControlPlane({
      apiServers: 2,
      users: [USER],
      encryptionConfig: async (index, dir) => {
        const path = join(dir, `encryption-${index}.json`);
        await writeFile(path, encryptionConfig(index === 0 ? [OLD, NEW] : [NEW, OLD]));
        return path;
      },
      flags: (index) =>
        index === 0 ? [] : ["--enable-priority-and-fairness=false", "--max-mutating-requests-inflight=2"],
    });
    const applied = await plane.kubectl(["apply", "-f", "-"], { stdin: MANIFESTS });
    expect(applied.stderr).toBe("");
    client = new KubeClient(await server(1).kubeconfig(USER.name));
    admin = new KubeClient(await server(1).kubeconfig());
    await eventually("the second API server serves widgets", async () => {
      const { status } = await server(1).request("GET", "/apis/test.claviger.dev/v1/widgets");
      return status === 200;
    });
  });
  afterAll(() => plane?.stop());

  const server = (index: number): ApiServer => {
    const found = plane.apiServers[index];
    if (found === undefined) throw new Error(`there is no API server ${index}`);
    return found;
  };
  const request = async (
    index: number,
    method: string,
    path: string,
    body?: object,
    contentType?: string,
  ) => {
    const reply = await server(index).request(method, path, { body, ...(contentType && { contentType }) });
    if (reply.status > 299) throw new Error(`${method} ${path}: ${JSON.stringify(reply.body)}`);
    // The API server answers with the requested object.
    return reply.body as { readonly metadata: ObjectMetadata; readonly data?: unknown };
  };
  const namespace = async (name: string) => {
    await request(0, "POST", "/api/v1/namespaces", { metadata: { name } });
    return `/api/v1/namespaces/${name}`;
  };
  const secret = (folder: string, name: string) =>
    request(0, "POST", `${folder}/secrets`, { metadata: { name }, stringData: { text: `text of ${name}` } });
  const resources = (...patterns: string[]) => apiResources(client, patterns, signal);
  const only = async (pattern: string): Promise<ApiResource> => {
    const [resource] = await resources(pattern);
    if (resource === undefined) throw new Error(`${pattern} is not served`);
    return resource;
  };
  const run = async (patterns: string[], options: Partial<RewriteOptions> = {}) =>
    rewrite({ client: admin, resources: await resources(...patterns), signal, ...options });
  /** Returns the names of the encryption keys of the values under a prefix in etcd. */
  const keysUsed = async (prefix: string) => {
    const entries = await plane.etcd.get(`/registry/${prefix}`);
    return new Set(entries.map(({ value }) => value.toString("latin1").split(":")[4]));
  };
  const noted = () => ({ metadata: { annotations: { at: String(performance.now()) } } });
  const patchTo = (text: string) => ({ stringData: { text } });

  it("finds the resources that patterns name, and no other", async () => {
    expect((await resources(...RESOURCES)).map(({ resource }) => resource)).toEqual([
      "configmaps",
      "secrets",
      "widgets",
    ]);
    expect(await only("*.test.claviger.dev")).toEqual({
      group: "test.claviger.dev",
      version: "v1",
      resource: "widgets",
      namespaced: false,
      definition: { preferred: "v1" },
    });
    const all = (await resources("*.*")).map(({ group, resource }) => `${resource}.${group}`);
    expect(all).toContain("deployments.apps");
    expect(all.filter((name) => /^events\b/.test(name))).toEqual(["events."]);
    expect(all.filter((name) => /^componentstatuses|reviews/.test(name))).toEqual([]);
  });

  it("has nothing to do where there is nothing", async () => {
    const nothing = { rewritten: 0, unchanged: 0, gone: 0, failed: 0, failures: [] };
    expect(await run(["secrets"])).toEqual(nothing);
    const vanished = { group: "test.claviger.dev", version: "v1", resource: "gadgets", namespaced: true };
    expect(await rewrite({ client: admin, resources: [vanished], signal })).toEqual(nothing);
  });

  it("moves every resourceVersion exactly once, and changes nothing else", async () => {
    const folder = await namespace("whole");
    const paths = [];
    for (let index = 0; index < 20; index += 1) {
      await secret(folder, `s-${index}`);
      await request(0, "POST", `${folder}/configmaps`, {
        metadata: { name: `c-${index}` },
        data: { a: "b" },
      });
      await request(0, "POST", "/apis/test.claviger.dev/v1/widgets", widget(`w-${index}`));
      paths.push(`${folder}/secrets/s-${index}`, `${folder}/configmaps/c-${index}`);
      paths.push(`/apis/test.claviger.dev/v1/widgets/w-${index}`);
    }
    const before = await Promise.all(paths.map((path) => request(0, "GET", path)));
    const progress: RewriteProgress[] = [];
    const recorder = new Recorder(await server(1).kubeconfig());
    const report = await run(RESOURCES, { client: recorder, onProgress: (seen) => progress.push(seen) });
    // The list of resources says at which version a custom resource is stored; the other answers are objects.
    expect(recorder.kinds).toEqual(
      new Set(["APIResourceList", "PartialObjectMetadataList", "PartialObjectMetadata"]),
    );
    expect(report).toMatchObject({ gone: 0, failed: 0, failures: [] });
    expect(report.rewritten).toBeGreaterThanOrEqual(60);
    // The second API server also creates a ConfigMap.
    const all = report.rewritten + report.unchanged;
    const after = await Promise.all(paths.map((path) => request(0, "GET", path)));
    expect(after.map(withoutVersion)).toEqual(before.map(withoutVersion));
    expect(JSON.stringify(after)).not.toContain("claviger-rewriter");
    for (const [index, { metadata }] of before.entries())
      expect(after[index]?.metadata.resourceVersion).not.toBe(metadata.resourceVersion);
    expect(await writesOf(plane.etcd.endpoint, "/registry/secrets/whole/s-0")).toBe(2);
    for (const prefix of ["secrets/whole/", "configmaps/", "test.claviger.dev/widgets/"])
      expect(await keysUsed(prefix), prefix).toEqual(new Set(["new"]));
    expect(progress.at(-1)).toMatchObject({ resource: "widgets.test.claviger.dev", done: all, total: all });
    expect(await run(RESOURCES)).toMatchObject({ rewritten: 0, unchanged: all, failed: 0 });
    expect(await writesOf(plane.etcd.endpoint, "/registry/secrets/whole/s-0")).toBe(2);
  });

  it("goes on where somebody else wrote, deleted or made an object anew after it was listed", async () => {
    const folder = await namespace("moving");
    const listed = [];
    for (const name of ["written", "deleted", "anew"]) listed.push((await secret(folder, name)).metadata);
    const [written, deleted, anew] = listed as [ObjectMetadata, ObjectMetadata, ObjectMetadata];
    const patched = patchTo("later");
    await request(0, "PATCH", `${folder}/secrets/written`, patched, "application/merge-patch+json");
    for (const name of ["deleted", "anew"]) await request(0, "DELETE", `${folder}/secrets/${name}`);
    const { metadata } = await secret(folder, "anew");
    const secrets = await only("secrets");
    const limiter = new CallLimiter({ maxParallelism: 1, patienceMilliseconds: 10_000 });
    const attempt = (object: ObjectMetadata) => rewriteObject({ client, limiter, signal }, secrets, object);
    expect(await attempt(written)).toBe("rewritten");
    expect(await attempt(deleted)).toBe("gone");
    expect(await attempt({ ...anew, resourceVersion: metadata.resourceVersion })).toBe("rewritten");
    expect(await attempt(anew)).toBe("unchanged");
    // Another client always writes first.
    const racing: Pick<KubeClient, "request"> = {
      request: async (call) => {
        if (call.method === "PATCH" && JSON.stringify(call.body).includes("resourceVersion"))
          await request(0, "PATCH", `${folder}/secrets/written`, noted(), "application/merge-patch+json");
        return await client.request(call);
      },
    };
    const busy = Object.assign(Object.create(client), racing);
    expect(await rewriteObject({ client: busy, limiter, signal }, secrets, written)).toBe("rewritten");
    const { data } = await request(0, "GET", `${folder}/secrets/written`);
    expect(data).toEqual({ text: Buffer.from("later").toString("base64") });
    expect(await keysUsed("secrets/moving/")).toEqual(new Set(["new"]));
  });

  it("names an object that a policy refuses, and rewrites the rest", async () => {
    const folder = await namespace("policed");
    for (const name of ["before", "refused", "zebra"]) await secret(folder, name);
    await plane.kubectl(["apply", "-f", "-"], { stdin: POLICY });
    await eventually("the policy is in force", async () => {
      const path = `${folder}/secrets/refused`;
      const options = { body: {}, contentType: "application/merge-patch+json" };
      return (await server(1).request("PATCH", path, options)).status === 422;
    });
    const { failed, failures } = await run(["secrets"]);
    expect(failed).toBe(1);
    expect(failures).toMatchObject([{ resource: "secrets", namespace: "policed", name: "refused" }]);
    expect(failures[0]?.message).toContain("nobody touches this one");
    expect(await keysUsed("secrets/policed/before")).toEqual(new Set(["new"]));
    expect(await keysUsed("secrets/policed/zebra")).toEqual(new Set(["new"]));
    await plane.kubectl(["delete", "-f", "-"], { stdin: POLICY });
    await request(0, "DELETE", `${folder}/secrets/refused`);
  });

  it("goes on from a cursor where a run was ended", async () => {
    const folder = await namespace("many");
    const names = Array.from({ length: 1_100 }, (_, index) => `c-${index}`);
    const waiting = names.values();
    const create = async () => {
      for (const name of waiting) {
        await request(0, "POST", `${folder}/configmaps`, { metadata: { name }, data: { a: "b" } });
      }
    };
    await Promise.all(Array.from({ length: 16 }, create));
    const stop = new AbortController();
    let cursor: Cursor | undefined;
    const onProgress = (progress: RewriteProgress) => {
      if (progress.cursor.continue === undefined) return;
      cursor = progress.cursor;
      stop.abort();
    };
    await expect(run(["configmaps"], { signal: stop.signal, onProgress })).rejects.toThrow(/abort/);
    expect(cursor?.resource).toBe("configmaps");
    expect(JSON.stringify(cursor).length).toBeLessThan(1_000);
    const rest = await run(["configmaps"], { from: cursor });
    expect(rest.failed).toBe(0);
    expect(rest.rewritten + rest.unchanged).toBeLessThan(800);
    expect(await keysUsed("configmaps/many/")).toEqual(new Set(["new"]));
  });

  it("goes on where the API server is killed and started again", async () => {
    const other = new KubeClient(await server(0).kubeconfig(USER.name));
    let restarted: Promise<void> | undefined;
    const restart = async () => {
      await server(0).kill9();
      await server(0).start();
    };
    const onProgress = () => {
      restarted ??= restart();
    };
    expect(await run(["configmaps"], { client: other, onProgress })).toMatchObject({
      failed: 0,
      failures: [],
    });
    await restarted;
    expect(await keysUsed("configmaps/many/")).toEqual(new Set(["old"]));
  });

  it("goes slower where the API server is busy, and loses nothing", async () => {
    const folder = await namespace("busy");
    for (let index = 0; index < 60; index += 1) await secret(folder, `s-${index}`);
    const { failed, failures, rewritten } = await run(["secrets"], { client });
    expect(failures).toEqual([]);
    expect(failed).toBe(0);
    expect(rewritten).toBeGreaterThanOrEqual(60);
    expect(await keysUsed("secrets/busy/")).toEqual(new Set(["new"]));
    const metrics = await server(1).request("GET", "/metrics");
    expect(String(metrics.body)).toMatch(/^apiserver_request_total\{code="429",.*verb="PATCH"/m);
  });

  it("names what the API server cannot decrypt, and rewrites the rest", async () => {
    const folder = await namespace("spoilt");
    for (let index = 10; index < 30; index += 1) await secret(folder, `s-${index}`);
    for (const name of ["s-13", "s-14", "s-20", "s-29"])
      await spoil(plane.etcd.endpoint, `/registry/secrets/spoilt/${name}`);
    // Otherwise its watch cache does not advance and makes lists wait, until it gives up after half a minute.
    await server(1).restart();
    await eventually("the second API server knows its users' rights", () => resources("secrets"));
    const { failed, failures } = await run(["secrets"]);
    expect(failures.map(({ reason, name }) => [reason, name])).toEqual(
      ["s-13", "s-14", "s-20", "s-29"].map((name) => ["StorageReadError", name]),
    );
    expect(failed).toBe(4);
    expect(await keysUsed("secrets/spoilt/")).toEqual(new Set(["new", "lost"]));
    const fresh = await plane.etcd.get("/registry/secrets/spoilt/");
    expect(fresh.filter(({ value }) => value.includes(":new:"))).toHaveLength(16);
  });

  it("says that a conversion webhook is down, and not that the objects are damaged", async () => {
    const version = (name: string, storage: boolean) => ({
      name,
      served: true,
      storage,
      schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
    });
    // Nobody listens at port 1.
    const conversion = {
      strategy: "Webhook",
      webhook: { clientConfig: { url: "https://127.0.0.1:1/convert" }, conversionReviewVersions: ["v1"] },
    };
    const definition = (more: object) => ({
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "turned.test.claviger.dev" },
      spec: {
        group: "test.claviger.dev",
        scope: "Namespaced",
        names: { plural: "turned", singular: "turned", kind: "Turned", listKind: "TurnedList" },
        ...more,
      },
    });
    const apply = async (object: object) => {
      const applied = await plane.kubectl(["apply", "-f", "-"], { stdin: JSON.stringify(object) });
      expect(applied.stderr).toBe("");
    };
    await apply(definition({ versions: [version("v1", true), version("v2", false)] }));
    const path = "/apis/test.claviger.dev/v1/namespaces/default/turned";
    const body = { apiVersion: "test.claviger.dev/v1", kind: "Turned", metadata: { name: "t" } };
    await eventually("the new resource is served", async () => {
      const { status } = await server(0).request("POST", path, { body });
      return status === 201;
    });
    // v2 is stored and preferred from now on; t exists as v1.
    await apply(definition({ conversion, versions: [version("v1", false), version("v2", true)] }));
    await eventually("a read of v2 asks the webhook", async () => {
      const { body } = await server(1).request("GET", path.replace("/v1/", "/v2/"));
      return JSON.stringify(body).includes("conversion webhook");
    });
    const { failed, failures } = await run(["turned.test.claviger.dev"]);
    expect(failed).toBe(1);
    expect(failures[0]?.message).toMatch(
      /conversion webhook for test\.claviger\.dev\/v1, Kind=Turned failed: .*connection refused/,
    );
    expect(failures[0]).toMatchObject({
      resource: "turned.test.claviger.dev",
      namespace: "default",
      name: "t",
    });
    await plane.kubectl(["delete", "crd", "turned.test.claviger.dev", "--wait=false"], {});
  });
});

/** Records the kinds of the objects that came back. */
class Recorder extends KubeClient {
  readonly kinds = new Set<unknown>();

  override async request(call: KubeRequest): Promise<unknown> {
    const body = await super.request(call);
    this.kinds.add((body as { readonly kind: string }).kind);
    return body;
  }
}

const encryptionConfig = (keys: readonly unknown[]): string =>
  JSON.stringify({
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "EncryptionConfiguration",
    resources: [{ resources: RESOURCES, providers: [{ secretbox: { keys } }, { identity: {} }] }],
  });

const withoutVersion = ({ metadata, ...rest }: { readonly metadata: ObjectMetadata }) => {
  const { resourceVersion: _, ...others } = metadata;
  return { ...rest, metadata: others };
};

const widget = (name: string) => ({
  apiVersion: "test.claviger.dev/v1",
  kind: "Widget",
  metadata: { name },
  spec: { size: 3 },
});

/** Returns how often a key was written since it was created. */
async function writesOf(endpoint: string, key: string): Promise<number> {
  const body = { key: Buffer.from(key).toString("base64") };
  const reply = await fetch(`${endpoint}/v3/kv/range`, { method: "POST", body: JSON.stringify(body) });
  const { kvs } = (await reply.json()) as { readonly kvs: readonly { readonly version: string }[] };
  return Number(kvs[0]?.version);
}

/** Puts a value into etcd that none of our keys decrypts. */
async function spoil(endpoint: string, key: string): Promise<void> {
  const value = Buffer.from("k8s:enc:secretbox:v1:lost:a-key-that-is-no-more");
  const body = { key: Buffer.from(key).toString("base64"), value: value.toString("base64") };
  const reply = await fetch(`${endpoint}/v3/kv/put`, { method: "POST", body: JSON.stringify(body) });
  if (!reply.ok) throw new Error(`etcd answered ${reply.status}`);
}

const MANIFESTS = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: widgets.test.claviger.dev }
spec:
  group: test.claviger.dev
  scope: Cluster
  names: { plural: widgets, singular: widget, kind: Widget, listKind: WidgetList }
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties: { spec: { type: object, properties: { size: { type: integer } } } }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: rewriter }
rules:
  - { apiGroups: ["", test.claviger.dev], resources: [secrets, configmaps, widgets], verbs: [get, list, patch] }
  - { apiGroups: [apiregistration.k8s.io], resources: [apiservices], verbs: [list] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: rewriter }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: rewriter }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: User, name: rewriter }]
`;

const POLICY = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: { name: untouchable }
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - { apiGroups: [""], apiVersions: [v1], operations: [UPDATE], resources: [secrets] }
  validations:
    - expression: object.metadata.name != "refused"
      message: nobody touches this one
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: { name: untouchable }
spec: { policyName: untouchable, validationActions: [Deny] }
`;
