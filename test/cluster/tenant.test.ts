import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { wrapMaterial } from "../../src/crypto/import-wrapping.ts";
import { conditionOf } from "../../src/resources/conditions.ts";
import type { KeyAlias, KeyServer, KeyVersion, MasterKey } from "../../src/resources/resources.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { eventually } from "../controlplane/wait.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { manifests } from "./manifests.ts";

const binaries = await controlPlaneBinaries();
const TENANT = "tenant";
const SHOP = "shop";
const LIMITS = {
  masterKeysPerNamespace: 45,
  keyVersionsPerNamespace: 16,
  keyAliasesPerNamespace: 4,
  rotationsPerKeyPerHour: 5,
};
const AS_NODE = ["--as=claviger-node", "--as-group=claviger:nodes"];

const object = (kind: string, namespace: string, name: string, spec: object): object => ({
  ...{ apiVersion: "kms.claviger.dev/v1alpha1", kind },
  ...{ metadata: { namespace, name }, spec },
});
const namespace = (name: string): object => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
const RBAC = "rbac.authorization.k8s.io";
/** The rights of an editor of one namespace's keys: specs, and no status. */
const tenantRights: readonly object[] = [
  {
    ...{ apiVersion: `${RBAC}/v1`, kind: "Role", metadata: { namespace: TENANT, name: "keys" } },
    rules: [{ apiGroups: ["kms.claviger.dev"], resources: ["masterkeys", "keyaliases"], verbs: ["*"] }],
  },
  {
    ...{ apiVersion: `${RBAC}/v1`, kind: "RoleBinding", metadata: { namespace: TENANT, name: "keys" } },
    roleRef: { apiGroup: RBAC, kind: "Role", name: "keys" },
    subjects: [{ apiGroup: RBAC, kind: "User", name: TENANT }],
  },
];

describe.skipIf(binaries === undefined)("an editor of one namespace's MasterKeys and KeyAliases", () => {
  let cluster: Cluster;
  let kubeconfig: string;

  beforeAll(async () => {
    cluster = await startCluster({
      serves: { alias: `${TENANT}/main` },
      users: [{ name: TENANT, token: randomBytes(16).toString("hex"), groups: [] }],
      limits: LIMITS,
    });
    kubeconfig = (await cluster.plane.apiServers[0]?.kubeconfig(TENANT)) ?? "";
    await cluster.kubectl(
      ["apply", "-f", "-"],
      manifests(namespace(TENANT), namespace(SHOP), ...tenantRights),
    );
    await apply(
      object("MasterKey", TENANT, "good", {}),
      object("KeyAlias", TENANT, "main", { masterKey: "good" }),
    );
    await cluster.ready();
  });
  afterAll(() => cluster?.stop());

  /** Runs kubectl as the tenant, who may do no more than its Role allows. */
  async function tenant(args: readonly string[], stdin = ""): Promise<string> {
    const { code, stdout, stderr } = await cluster.plane.kubectl(["-n", TENANT, ...args], {
      stdin,
      kubeconfig,
    });
    if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
    return stdout;
  }
  const apply = (...objects: readonly object[]) => tenant(["apply", "-f", "-"], manifests(...objects));
  const key = async (name: string, where = TENANT): Promise<MasterKey> =>
    JSON.parse(await cluster.kubectl(["get", "mk", "-n", where, name, "-o", "json"]));
  const keys = async (): Promise<readonly MasterKey[]> =>
    JSON.parse(await cluster.kubectl(["get", "mk", "-n", TENANT, "-o", "json"])).items;
  const alias = async (name: string): Promise<KeyAlias> =>
    JSON.parse(await cluster.kubectl(["get", "keyalias", "-n", TENANT, name, "-o", "json"]));
  const versions = async (): Promise<readonly KeyVersion[]> =>
    JSON.parse(await cluster.kubectl(["get", "kv", "-o", "json"])).items.filter(
      ({ spec }: KeyVersion) => spec.masterKey.namespace === TENANT,
    );
  const server = async (): Promise<KeyServer> =>
    JSON.parse(await cluster.kubectl(["get", "keyserver", "node-1", "-o", "json"]));
  const servedKeyId = async () => (await server()).status?.providers?.[0]?.kmsKeyId;
  const isReady = async (name: string, where = TENANT) =>
    conditionOf((await key(name, where)).status?.conditions, "Ready")?.status === "True";
  const ready = (name: string, where = TENANT) =>
    eventually(`MasterKey ${where}/${name} is ready`, () => isReady(name, where));
  const aliasSays = (name: string, reason: string) =>
    eventually(`KeyAlias ${name} says ${reason}`, async () => {
      const condition = conditionOf((await alias(name)).status?.conditions, "Ready");
      return condition?.reason === reason && condition;
    });
  const keySays = (name: string, type: string, reason: string) =>
    eventually(`MasterKey ${name} says ${type} ${reason}`, async () => {
      const condition = conditionOf((await key(name)).status?.conditions, type);
      return condition?.reason === reason && condition;
    });
  /** Waits until another namespace's new key is current. */
  const shopGetsKey = async (name: string): Promise<void> => {
    await cluster.kubectl(["apply", "-f", "-"], manifests(object("MasterKey", SHOP, name, {})));
    await ready(name, SHOP);
  };

  it("may not write status, nor read KeyVersions", async () => {
    const patch = ["patch", "mk", "good", "--type=merge", "-p", '{"status":{"keyId":null}}'];
    await expect(tenant([...patch, "--subresource=status"])).rejects.toThrow(
      /cannot \w+ resource "masterkeys\/status"/,
    );
    await expect(tenant(["get", "kv"])).rejects.toThrow(/cannot list/);
  });

  describe("imports material that it knows", () => {
    let served: string | undefined;

    beforeAll(async () => {
      served = await eventually("the provider serves the alias", servedKeyId);
      await apply(
        object("MasterKey", TENANT, "known", {
          ...{ origin: "EXTERNAL", import: { wrappingKeySpec: "RSA_3072" } },
        }),
      );
      const published = await eventually("a public key", async () => {
        const found: MasterKey = JSON.parse(await tenant(["get", "mk", "known", "-o", "json"]));
        return found.status?.import?.publicKey === undefined ? undefined : found.status.import;
      });
      const wrapped = wrapMaterial(published.publicKey ?? "", "RSAES_OAEP_SHA_256", Buffer.alloc(32, 7));
      const offer = {
        ...{ wrappedMaterial: wrapped.toString("base64"), wrappingAlgorithm: "RSAES_OAEP_SHA_256" },
        importToken: published.importToken,
      };
      await tenant([
        "patch",
        "mk",
        "known",
        "--type=merge",
        "-p",
        JSON.stringify({ spec: { import: offer } }),
      ]);
      await ready("known");
    });

    it("and moves the alias that a provider serves there => refused, with the remedy", async () => {
      await apply(object("KeyAlias", TENANT, "main", { masterKey: "known" }));
      const { message } = await aliasSays("main", "ImportedNotAllowed");
      expect(message).toMatch(/set allowImported on that provider.*; the nodes still serve good$/);
      expect(await servedKeyId()).toBe(served);
    });

    it("and deletes the alias and makes it again for that key => refused", async () => {
      await tenant(["delete", "keyalias", "main"]);
      await apply(object("KeyAlias", TENANT, "main", { masterKey: "known" }));
      await aliasSays("main", "ImportedNotAllowed");
      expect(await servedKeyId()).toBe(served);
    });

    it("and a node's identity moves the status for it => the node refuses by itself, says so, and is well when it is put right", async () => {
      const moved = { masterKey: "known", keyId: (await key("known")).status?.keyId };
      const patch = (status: object) => [
        ...["patch", "keyalias", "-n", TENANT, "main", "--type=merge", "--subresource=status"],
        ...["-p", JSON.stringify({ status }), ...AS_NODE],
      ];
      await cluster.kubectl(patch(moved));
      await eventually("the node contradicts", async () => {
        const condition = conditionOf((await server()).status?.conditions, "Ready");
        return condition?.reason === "Contradiction" && /whose material is imported/.test(condition.message);
      });
      expect(await servedKeyId()).toBe(served);
      await apply(object("KeyAlias", TENANT, "main", { masterKey: "good" }));
      await aliasSays("main", "Pointing");
      await eventually("the node is well", async () => {
        const { conditions } = (await server()).status ?? {};
        return conditionOf(conditions, "Ready")?.status === "True";
      });
      expect(await servedKeyId()).toBe(served);
      await cluster.kubectl(["create", "secret", "generic", "s", "--from-literal=a=b"]);
    });
  });

  it("makes dozens of EXTERNAL keys => another namespace's key is not held up by their key pairs", async () => {
    const names = Array.from({ length: 30 }, (_, n) => `external-${n}`);
    await apply(...names.map((name) => object("MasterKey", TENANT, name, { origin: "EXTERNAL" })));
    await shopGetsKey("beside-imports");
    const published = (await keys()).filter(({ status }) => status?.import?.publicKey !== undefined);
    expect(published.length).toBeLessThan(15);
    await tenant(["delete", "mk", "--wait=false", ...names]);
  });

  it("asks for rotations in a loop => five within an hour; the next waits and is not lost", async () => {
    const ask = (token: string) =>
      apply(
        object("MasterKey", TENANT, "rotating", {
          rotation: { onDemandLimit: 100_000, requestToken: token },
        }),
      );
    await ask("first");
    await ready("rotating");
    const count = async () =>
      (await versions()).filter(({ spec }) => spec.masterKey.name === "rotating").length;
    await eventually("the rate is used up", async () => {
      await ask(randomBytes(8).toString("hex"));
      return (
        conditionOf((await key("rotating")).status?.conditions, "RotationOnTime")?.reason === "RateLimited"
      );
    });
    await ask("last");
    const { message } = await keySays("rotating", "RotationOnTime", "RateLimited");
    expect(message).toMatch(/it goes on by itself at \d{4}-/);
    // The first version, five requested ones, and at most one more that was not counted yet.
    expect(await count()).toBeLessThanOrEqual(7);
    expect((await key("rotating")).status?.rotation?.handledToken).not.toBe("last");
  });

  it("makes keys under new names and deletes them => its quota is full, deleted ones counted; what it had goes on, and another namespace too", async () => {
    for (let n = 0; n < 12; n++) await apply(object("MasterKey", TENANT, `again-${n}`, {}));
    const full = await eventually("one of them waits", async () => {
      const waiting = (await keys()).find(
        ({ status }) => conditionOf(status?.conditions, "Ready")?.reason === "QuotaExceeded",
      );
      return waiting && conditionOf(waiting.status?.conditions, "Ready")?.message;
    });
    expect(full).toMatch(/may have \d+, deleted ones included.*raise limits\./);
    await tenant(["delete", "mk", "--wait=false", ...Array.from({ length: 12 }, (_, n) => `again-${n}`)]);
    await apply(object("MasterKey", TENANT, "one-more", {}));
    await keySays("one-more", "Ready", "QuotaExceeded");
    expect((await versions()).length).toBeLessThanOrEqual(LIMITS.keyVersionsPerNamespace + 1);
    await shopGetsKey("beside-quota");
    expect(await isReady("good")).toBe(true);
    await cluster.kubectl(["create", "secret", "generic", "t", "--from-literal=a=b"]);
  });

  it("makes more KeyAliases than it may => those that there is room for point, the rest says why, and the served one stays", async () => {
    const names = Array.from({ length: 8 }, (_, n) => `alias-${n}`);
    await apply(...names.map((name) => object("KeyAlias", TENANT, name, { masterKey: "good" })));
    const reasons = await eventually("each is decided", async () => {
      const said = await Promise.all(names.map(alias));
      const all = said.map(({ status }) => conditionOf(status?.conditions, "Ready")?.reason);
      return all.every((reason) => reason !== undefined) && all;
    });
    expect(reasons.filter((reason) => reason === "Pointing")).toHaveLength(LIMITS.keyAliasesPerNamespace - 1);
    expect(reasons.filter((reason) => reason === "QuotaExceeded")).toHaveLength(5);
    expect(conditionOf((await alias("main")).status?.conditions, "Ready")?.reason).toBe("Pointing");
  });
});
