import { describe, expect, test } from "vitest";
import { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/kube-error.ts";
import type { KubeRequest } from "../../kube/request.ts";
import { apiResources, collectionPathOf, objectPathOf, storedResources } from "./api-resources.ts";
import type { ApiResource } from "./discovery.ts";
import { groupResourceText } from "./group-resource.ts";

const ALL = ["get", "list", "patch", "update"];
const resource = (name: string, verbs = ALL, scope: "Namespaced" | "Cluster" = "Namespaced") => ({
  resource: name,
  scope,
  verbs,
});
const group = (
  name: string,
  ...versions: { version: string; resources: ReturnType<typeof resource>[] }[]
) => ({
  items: [{ ...(name !== "" && { metadata: { name } }), versions }],
});
const found = (discoveries: Parameters<typeof storedResources>[0], services = [] as object[]) =>
  storedResources(
    discoveries,
    services.map((spec) => ({ spec })),
  ).map((one) => `${groupResourceText(one)} ${one.version}`);

describe("the resources that an API server stores", () => {
  test("core and named groups => all, in the order of their names", () => {
    const core = group("", { version: "v1", resources: [resource("secrets"), resource("configmaps")] });
    const apps = group("apps", { version: "v1", resources: [resource("deployments")] });
    expect(found([core, apps])).toEqual(["configmaps v1", "deployments.apps v1", "secrets v1"]);
  });
  test("several versions => the first that has the resource", () => {
    const versions = group(
      "a.example",
      { version: "v2", resources: [resource("x")] },
      { version: "v1", resources: [resource("x"), resource("y")] },
    );
    expect(found([versions])).toEqual(["x.a.example v2", "y.a.example v1"]);
  });
  test.each([
    ["cannot be listed", ["create", "patch"]],
    ["cannot be patched", ["get", "list"]],
  ])("a resource that %s => is left out", (_, verbs) => {
    expect(found([group("", { version: "v1", resources: [resource("x", verbs)] })])).toEqual([]);
  });
  test("claviger's own resources => are left out", () => {
    const ours = group("kms.claviger.dev", { version: "v1alpha1", resources: [resource("masterkeys")] });
    expect(found([ours])).toEqual([]);
  });
  test("events by two names => the core ones", () => {
    const core = group("", { version: "v1", resources: [resource("events")] });
    const named = group("events.k8s.io", { version: "v1", resources: [resource("events")] });
    expect(found([core, named])).toEqual(["events v1"]);
  });
  test("a version that another server serves => is left out; its group's other versions stay", () => {
    const both = group(
      "a.example",
      { version: "v2", resources: [resource("x")] },
      { version: "v1", resources: [resource("x")] },
    );
    const foreign = { group: "a.example", version: "v2", service: { namespace: "n", name: "s" } };
    expect(found([both], [foreign])).toEqual(["x.a.example v1"]);
    expect(found([both], [{ ...foreign, service: null }])).toEqual(["x.a.example v2"]);
  });
});

describe("the version of a custom resource that has several", () => {
  /** An API server that prefers v2 and stores x at the version of `hash`. */
  class TwoVersions extends KubeClient {
    readonly #hash: string | undefined;

    constructor(hash: string | undefined) {
      super("/nowhere/kubeconfig");
      this.#hash = hash;
    }

    override async request({ path }: KubeRequest): Promise<unknown> {
      const versions = ["v2", "v1"].map((version) => ({ version, resources: [resource("x")] }));
      const y = { version: "v1", resources: [resource("y")] };
      const named = { items: [...group("a.example", ...versions).items, ...group("b.example", y).items] };
      const answers: Record<string, unknown> = {
        "/api": { items: [] },
        "/apis": named,
        "/apis/apiregistration.k8s.io/v1/apiservices": { items: [] },
        "/apis/a.example/v2": { resources: [{ name: "x", kind: "X", storageVersionHash: this.#hash }] },
      };
      return answers[path] ?? Promise.reject(new Error(`nobody needs ${path}`));
    }
  }
  // base64 of the first 8 bytes of sha256("a.example/v1/X").
  test.each([
    ["it is stored at another one than the preferred => that one", "BEvf6Co3tOs=", "v1"],
    ["it is stored at the preferred one => that one", "rxROqx0p3wE=", "v2"],
    ["a built-in one is stored at one that is not served => the preferred one", "AAAAAAAAAAA=", "v2"],
    ["of a built-in one the API server does not say => the preferred one", undefined, "v2"],
  ])("%s", async (_, hash, version) => {
    const found = await apiResources(new TwoVersions(hash), ["*.*"], new AbortController().signal);
    expect(found).toEqual([
      { group: "a.example", resource: "x", version, namespaced: true },
      { group: "b.example", resource: "y", version: "v1", namespaced: true },
    ]);
  });
});

describe("a custom resource", () => {
  const automanaged = { "kube-aggregator.kubernetes.io/automanaged": "true" };
  const CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/x.a.example";

  /** An API server that serves these versions of x by a CustomResourceDefinition, and nothing else. */
  class Custom extends KubeClient {
    readonly #answers: Readonly<Record<string, unknown>>;

    constructor(served: readonly string[], hash: string | undefined, definition?: unknown) {
      super("/nowhere/kubeconfig");
      const [preferred = ""] = served;
      const versions = served.map((version) => ({ version, resources: [resource("x")] }));
      const spec = { group: "a.example", version: preferred };
      this.#answers = {
        "/api": { items: [] },
        "/apis": group("a.example", ...versions),
        "/apis/apiregistration.k8s.io/v1/apiservices": {
          items: [{ metadata: { labels: automanaged }, spec }],
        },
        [`/apis/a.example/${preferred}`]: { resources: [{ name: "x", kind: "X", storageVersionHash: hash }] },
        [CRD]: definition,
      };
    }

    override async request({ path }: KubeRequest): Promise<unknown> {
      const answer = this.#answers[path];
      if (answer === undefined) throw new KubeError(403, `${path} is forbidden`);
      return answer;
    }
  }
  const found = (...args: ConstructorParameters<typeof Custom>) =>
    apiResources(new Custom(...args), ["*.*"], new AbortController().signal);
  const one = { group: "a.example", resource: "x", namespaced: true };

  test("is stored at a version that is served => that one, and the preferred one beside it", async () => {
    expect(await found(["v2", "v1"], "BEvf6Co3tOs=")).toEqual([
      { ...one, version: "v1", definition: { preferred: "v2" } },
    ]);
  });
  test.each([
    ["two versions", ["v3", "v2"]],
    ["one version", ["v2"]],
  ])("serves %s and not the stored one => is not to be written, and says which", async (_, served) => {
    const definition = { spec: { versions: [{ name: "v1", storage: true }, { name: "v2" }] } };
    const [{ definition: told } = { definition: undefined }] = await found(served, undefined, definition);
    expect(told?.objection).toMatch(/^CustomResourceDefinition x\.a\.example does not serve version v1: /);
  });
  test("whose definition may not be read => is not to be written all the same", async () => {
    const [{ definition } = { definition: undefined }] = await found(["v2"], undefined);
    expect(definition?.objection).toMatch(/x\.a\.example does not serve the version that is stored: /);
  });
  test("whose definition has a version that steers a terminal => it is shown as text", async () => {
    const hostile = { spec: { versions: [{ name: "v\u001b[2J", storage: true }] } };
    const [{ definition } = { definition: undefined }] = await found(["v2"], undefined, hostile);
    expect(definition?.objection).toContain("does not serve version v\\u001b[2J:");
  });
});

test.each([
  ["", "v1", true, { namespace: "a", name: "b" }, "/api/v1/secrets", "/api/v1/namespaces/a/secrets/b"],
  [
    "x.y",
    "v1",
    true,
    { namespace: "a", name: "b" },
    "/apis/x.y/v1/secrets",
    "/apis/x.y/v1/namespaces/a/secrets/b",
  ],
  ["x.y", "v1", false, { name: "a:b/c" }, "/apis/x.y/v1/secrets", "/apis/x.y/v1/secrets/a%3Ab%2Fc"],
] as const)("paths in the group %j", (name, version, namespaced, object, collection, path) => {
  const one: ApiResource = { group: name, version, namespaced, resource: "secrets" };
  expect(collectionPathOf(one)).toBe(collection);
  expect(objectPathOf(one, object)).toBe(path);
});
