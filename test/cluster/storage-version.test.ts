import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KubeClient } from "../../src/kube/client.ts";
import type { KubeRequest } from "../../src/kube/request.ts";
import type { MasterKey } from "../../src/resources/resources.ts";
import { storedValue } from "../../src/storage/etcd/stored-value.ts";
import { rewrite } from "../../src/storage/rewrite/rewriter.ts";
import { migrate } from "../../src/storage/rewrite/storage-version-migration.ts";
import { apiResources } from "../../src/storage/served/api-resources.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { eventually } from "../controlplane/wait.ts";
import { applyKey, type Cluster, startCluster } from "./cluster.ts";
import { encryptionRules, identity, kms, manifests, object, roleOfRewriters } from "./manifests.ts";
import { Probes } from "./traffic.ts";

const binaries = await controlPlaneBinaries();
const LONG = { deadline: 600_000, every: 300 };
const GROUP = "shop.example.com";
const MIGRATIONS = "/apis/storagemigration.k8s.io/v1/storageversionmigrations";
const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/**
 * v1 has a field `old` and v2 a field `fresh`. With the strategy None each version's schema drops the other's
 * field.
 */
const definition = (plural: string, kind: string, storage: "v1" | "v2"): object => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${plural}.${GROUP}` },
  spec: {
    group: GROUP,
    scope: "Namespaced",
    names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
    versions: [
      { name: "v1", served: true, storage: storage === "v1", schema: schemaWith("old") },
      { name: "v2", served: true, storage: storage === "v2", schema: schemaWith("fresh") },
    ],
  },
});

const schemaWith = (field: string): object => ({
  openAPIV3Schema: { type: "object", properties: { size: { type: "integer" }, [field]: { type: "string" } } },
});

describe.skipIf(binaries === undefined)("custom resources of several versions are written again", () => {
  let cluster: Cluster;
  let probes: Probes;
  let admin: KubeClient;
  let folder: string;
  let clock: string;
  const { signal } = new AbortController();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "clv-versions-"));
    clock = join(folder, "clock");
    await writeFile(clock, "0");
    cluster = await startCluster({
      encryption: ({ name, socket }) =>
        encryptionRules({ resources: ["secrets", `*.${GROUP}`], providers: [kms(name, socket), identity] }),
      environment: { CLAVIGER_TEST_CLOCK: clock, CLAVIGER_TEST_SETTLE_SECONDS: "25" },
    });
    probes = new Probes(cluster.plane.apiServers);
    await apply(
      roleOfRewriters("rewrite-shop", [
        { apiGroups: [GROUP], resources: ["*"], verbs: ["get", "list", "patch"] },
      ]),
    );
    await applyKey(cluster);
    admin = new KubeClient(await server().kubeconfig());
    await apply(manifests(definition("carts", "Cart", "v2"), definition("bags", "Bag", "v1")));
    await create("bags", "v1", object("Bag", "small", { size: 1, old: "of v1" }, `${GROUP}/v1`));
    await create("carts", "v2", object("Cart", "big", { size: 2, fresh: "of v2" }, `${GROUP}/v2`));
  });
  afterAll(async () => {
    admin?.close();
    await probes?.stop();
    await cluster?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const server = () => {
    const [first] = cluster.plane.apiServers;
    if (first === undefined) throw new Error("there is no API server");
    return first;
  };
  const apply = (text: string) => cluster.kubectl(["apply", "-f", "-"], text);
  const folderOf = (plural: string, version: string) =>
    `/apis/${GROUP}/${version}/namespaces/default/${plural}`;
  const create = (plural: string, version: string, body: object) =>
    eventually(`the API server takes ${plural}`, async () => {
      const { status } = await server().request("POST", folderOf(plural, version), { body });
      return status === 201;
    });
  const readAt = async (plural: string, version: string, name: string) =>
    (await server().request("GET", `${folderOf(plural, version)}/${name}`)).body;
  const serve = async (plural: string, version: "v1" | "v2", served: boolean) => {
    const at = version === "v1" ? 0 : 1;
    const body = [{ op: "replace", path: `/spec/versions/${at}/served`, value: served }];
    await admin.request({
      ...{ method: "PATCH", path: `${DEFINITIONS}/${plural}.${GROUP}`, body },
      contentType: "application/json-patch+json",
    });
    await eventually(`${plural} of version ${version} are served or not`, async () => {
      const { status } = await server().request("GET", folderOf(plural, version));
      const list = await server().request("GET", `/apis/${GROUP}/${version}`);
      return (status === 200) === served && JSON.stringify(list.body).includes(`"${plural}"`) === served;
    });
  };
  const keyIds = async (plural: string) =>
    (await cluster.plane.etcd.get(`/registry/${GROUP}/${plural}/`)).map(({ value }) => {
      const stored = storedValue(value);
      return stored.kind === "kms-v2" ? stored.keyId : stored.kind;
    });
  const masterKey = async (): Promise<MasterKey> =>
    JSON.parse(await cluster.kubectl(["get", "mk", "-n", "claviger-system", "secrets", "-o", "json"]));
  const status = (what: string, holds: (key: NonNullable<MasterKey["status"]>) => boolean) =>
    eventually(
      what,
      async () => {
        const found = (await masterKey()).status ?? {};
        if (holds(found)) return found;
        throw new Error(JSON.stringify([found.reencryption, found.conditions]));
      },
      LONG,
    );
  const shop = (name: string) => apiResources(admin, [`${name}.${GROUP}`], signal);

  it("the storage version is not served => nothing is written, it is named, and nothing is verified", async () => {
    const [before] = await keyIds("carts");
    await serve("carts", "v2", false);
    await cluster.kubectl([
      ...["patch", "mk", "-n", "claviger-system", "secrets", "--type=merge"],
      ...["-p", JSON.stringify({ spec: { rotation: { requestToken: "now" } } })],
    ]);
    const named = await status("the round is over", ({ currentVersion, reencryption }) => {
      const settled = reencryption?.nextRoundAt !== undefined || reencryption?.phase === "Complete";
      return currentVersion?.number === 2 && reencryption?.kmsKeyId === currentVersion.kmsKeyId && settled;
    });
    expect(named.reencryption).toMatchObject({ failed: 1, remaining: 1, verified: false });
    expect(named.reencryption?.failures).toEqual([
      {
        object: `carts.${GROUP}`,
        reason: "StorageVersionNotServed",
        message: `CustomResourceDefinition carts.${GROUP} does not serve version v2: writing at version v1 could drop fields, so nothing was written; set served: true on it in the CustomResourceDefinition; or, if its fields may be dropped, set storage: true on a served version`,
      },
    ]);
    const reencrypted = named.conditions?.find(({ type }) => type === "Reencrypted");
    expect(reencrypted).toMatchObject({ status: "False", reason: "ObjectsLeft" });
    expect(await keyIds("carts")).toEqual([before]);
    expect(await keyIds("bags")).toEqual([named.currentVersion?.kmsKeyId]);
    expect(await readAt("bags", "v1", "small")).toMatchObject({ size: 1, old: "of v1" });
  });

  it("it is served again => everything is written, with every field, and verified", async () => {
    await serve("carts", "v2", true);
    await writeFile(clock, "600");
    const { currentVersion } = await status(
      "all is verified",
      ({ reencryption }) => reencryption?.phase === "Complete" && reencryption.verified,
    );
    expect(await keyIds("carts")).toEqual([currentVersion?.kmsKeyId]);
    expect(await readAt("carts", "v2", "big")).toMatchObject({ size: 2, fresh: "of v2" });
  });

  it("an empty resource whose storage version is not served => holds up nothing", async () => {
    await apply(manifests(definition("boxes", "Box", "v2")));
    await eventually("the API server serves boxes", async () => (await shop("boxes")).length === 1);
    await serve("boxes", "v2", false);
    const resources = await shop("boxes");
    expect(resources[0]?.definition?.objection).toContain(`boxes.${GROUP} does not serve version v2`);
    expect(await rewrite({ client: admin, resources, signal })).toMatchObject({ failed: 0 });
  });

  it.each([
    ["stops being served", (plural: string) => serve(plural, "v2", false)],
    ["stops being the stored one", (plural: string) => storeAt(plural, "v1")],
  ])(
    "while they are written the version %s => nothing of that page is written, and it is said",
    async (_, edit) => {
      await serve("carts", "v2", true);
      await storeAt("carts", "v2");
      const resources = await shop("carts");
      expect(resources).toMatchObject([{ version: "v2" }]);
      const patched: string[] = [];
      const meddling: Pick<KubeClient, "request"> = {
        request: async (call: KubeRequest) => {
          if (call.method === "PATCH") patched.push(call.path);
          const answer = await admin.request(call);
          // The second list is the list of the page; the first counts.
          if (call.path.endsWith("/carts") && call.query?.limit === "500") await edit("carts");
          return answer;
        },
      };
      const client = Object.assign(Object.create(admin), meddling);
      const { failures } = await rewrite({ client, resources, signal });
      expect(failures).toMatchObject([{ resource: `carts.${GROUP}`, reason: "StorageVersionChanged" }]);
      expect(patched).toEqual([]);
    },
  );

  const storeAt = async (plural: string, version: "v1" | "v2") => {
    const body = ["v1", "v2"].map((name, at) => ({
      ...{ op: "replace", path: `/spec/versions/${at}/storage`, value: name === version },
    }));
    await admin.request({
      ...{ method: "PATCH", path: `${DEFINITIONS}/${plural}.${GROUP}`, body },
      contentType: "application/json-patch+json",
    });
    await eventually(`${plural} are stored at version ${version}`, async () =>
      (await shop(plural)).some((one) => one.version === version && one.definition?.objection === undefined),
    );
  };

  it("Kubernetes' own migration, which writes at the preferred version => is not begun for another one", async () => {
    await serve("carts", "v2", true);
    await storeAt("carts", "v2");
    const resources = await apiResources(admin, [`*.${GROUP}`], signal);
    const begun: string[] = [];
    const watching: Pick<KubeClient, "request"> = {
      request: async (call: KubeRequest) => {
        if (call.method !== "POST") return admin.request(call);
        begun.push((call.body as { readonly metadata: { readonly name: string } }).metadata.name);
        const made = await admin.request(call);
        await admin.request({
          ...{ method: "PATCH", path: `${MIGRATIONS}/${begun.at(-1)}/status` },
          contentType: "application/merge-patch+json",
          body: { status: { conditions: [SUCCEEDED] } },
        });
        return made;
      },
    };
    const client = Object.assign(Object.create(admin), watching);
    const { failures } = await migrate({ client, resources, kmsKeyId: "0d", signal, pollMilliseconds: 50 });
    expect(begun).toEqual([`claviger-0d-carts.${GROUP}`]);
    expect(failures).toMatchObject([
      {
        resource: `bags.${GROUP}`,
        reason: "StorageVersionNotServed",
        message: expect.stringContaining("set spec.reencryption.engine to Claviger"),
      },
    ]);
  });
});

const SUCCEEDED = {
  ...{ type: "Succeeded", status: "True", reason: "StorageVersionMigrationSucceeded", message: "" },
  lastTransitionTime: "2026-01-01T00:00:00Z",
};
