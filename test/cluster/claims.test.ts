import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { wrapMaterial } from "../../src/crypto/import-wrapping.ts";
import { KmsClient } from "../../src/plugin/kms-client.ts";
import { conditionOf } from "../../src/resources/conditions.ts";
import type { KeyServer, KeyVersion, MasterKey } from "../../src/resources/resources.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { applyKey, type Cluster, PROVIDER, startCluster } from "./cluster.ts";

const binaries = await controlPlaneBinaries();
/** The identity of somebody who has one node's kubeconfig. */
const AS_NODE = ["--as=claviger-node", "--as-group=claviger:nodes"];
const CLAVIGER = join(import.meta.dirname, "..", "..", "bin", "claviger.js");
const TENANT = "tenant";
const SYSTEM = "claviger-system";
/** Passes before the claim is made and after it: as many as an operator needs to act on a wrong status. */
const ROUNDS = 3;

describe.skipIf(binaries === undefined)("what a node's kubeconfig writes of a key is a claim", () => {
  let cluster: Cluster;
  let kms: KmsClient;
  const material = randomBytes(32);

  beforeAll(async () => {
    cluster = await startCluster();
    await applyKey(cluster);
    const [node] = cluster.nodes;
    if (node === undefined) throw new Error("there is no node");
    kms = new KmsClient(node.socket(PROVIDER));
    await cluster.kubectl(["create", "namespace", TENANT]);
  });
  afterAll(async () => {
    kms?.close();
    await cluster?.stop();
  });

  const get = async (namespace: string, name: string): Promise<MasterKey> =>
    JSON.parse(await cluster.kubectl(["get", "mk", "-n", namespace, name, "-o", "json"]));
  const real = () => get(SYSTEM, "secrets");
  const create = (name: string, spec: object = {}) =>
    cluster.kubectl(
      ["apply", "-f", "-"],
      JSON.stringify({
        apiVersion: "kms.claviger.dev/v1alpha1",
        kind: "MasterKey",
        metadata: { namespace: TENANT, name },
        spec,
      }),
    );
  const patch = (namespace: string, name: string, change: object, more: readonly string[] = []) =>
    cluster.plane.kubectl([
      ...["patch", "mk", "-n", namespace, name, "--type=merge", "-p", JSON.stringify(change)],
      ...more,
    ]);
  /** Patches a MasterKey's status with the node's identity. */
  const claim = (namespace: string, name: string, status: object | null) =>
    patch(namespace, name, { status }, ["--subresource=status", ...AS_NODE]);
  const versionsOf = async (namespace: string, name: string): Promise<KeyVersion[]> => {
    const { items } = JSON.parse(await cluster.kubectl(["get", "kv", "-o", "json"])) as {
      items: KeyVersion[];
    };
    return items.filter(({ spec }) => spec.masterKey.namespace === namespace && spec.masterKey.name === name);
  };
  const ready = async (namespace: string, name: string): Promise<MasterKey> =>
    eventually(`${namespace}/${name} is Ready`, async () => {
      const key = await get(namespace, name);
      return conditionOf(key.status?.conditions, "Ready")?.status === "True" && key;
    });
  const keyServer = async (): Promise<KeyServer> =>
    JSON.parse(await cluster.kubectl(["get", "ks", "node-1", "-o", "json"]));
  /**
   * Waits until the operator has seen the write: each of its passes reports the resourceVersion up to which
   * it has seen KeyVersions.
   */
  const operatorHasPassed = async () => {
    for (let round = 0; round < ROUNDS; round++) {
      await create(`marker-${randomBytes(4).toString("hex")}`).then(async (made) => {
        const name = /masterkey.kms.claviger.dev\/(\S+) created/.exec(made)?.[1] ?? "";
        await ready(TENANT, name);
      });
    }
  };
  /** Writes a Secret. Returns true if it is stored under the version that is current in `key`. */
  const isWrittenUnder = async (key: MasterKey): Promise<boolean> => {
    const name = `probe-${randomBytes(4).toString("hex")}`;
    await cluster.kubectl(["create", "secret", "generic", name, "--from-literal=a=b"]);
    const [entry] = await cluster.plane.etcd.get(`/registry/secrets/default/${name}`);
    return entry?.value.includes(key.status?.currentVersion?.kmsKeyId ?? "none") ?? false;
  };
  /** Expects that Secrets are written and read under the real key, and that the key reports no problem. */
  const expectUnharmed = async (before: MasterKey) => {
    expect((await kms.status()).keyId).toBe(before.status?.currentVersion?.kmsKeyId);
    expect(await isWrittenUnder(before)).toBe(true);
    const after = await ready(SYSTEM, "secrets");
    expect(after.status?.keyId).toBe(before.status?.keyId);
    expect(after.status?.keyState).toBe("Enabled");
  };

  describe("a tenant's imported key, whose bytes the tenant knows", () => {
    let foreign: MasterKey;

    beforeAll(async () => {
      await create("known", { origin: "EXTERNAL" });
      const parameters = await eventually("a public key to wrap under", async () => {
        const found = (await get(TENANT, "known")).status?.import;
        return found?.publicKey !== undefined && found;
      });
      const wrapped = wrapMaterial(parameters.publicKey ?? "", "RSAES_OAEP_SHA_256", material);
      const offer = {
        importType: "NEW_KEY_MATERIAL",
        wrappedMaterial: wrapped.toString("base64"),
        wrappingAlgorithm: "RSAES_OAEP_SHA_256",
        importToken: parameters.importToken,
      };
      expect((await patch(TENANT, "known", { spec: { import: offer } })).stderr).toBe("");
      foreign = await ready(TENANT, "known");
    });

    it("is written into the status of the key that Secrets use => the API server refuses another keyId, also by way of none", async () => {
      const before = await real();
      const { keyId, currentVersion } = foreign.status ?? {};
      for (const status of [{ keyId, currentVersion }, null, { keyId: null }]) {
        expect((await claim(SYSTEM, "secrets", status)).stderr).toMatch(/status.keyId is immutable/);
      }
      await expectUnharmed(before);
    });

    it("is claimed as the current version alone => no node follows, and the leader puts the status right", async () => {
      const before = await real();
      const { currentVersion } = foreign.status ?? {};
      expect((await claim(SYSTEM, "secrets", { currentVersion })).stderr).toBe("");
      await eventually("the status is put right", async () => {
        const { versionId } = (await real()).status?.currentVersion ?? {};
        return versionId === before.status?.currentVersion?.versionId;
      });
      await expectUnharmed(before);
    });

    it("a version that never was is claimed as the current one => no node follows, and the leader puts the status right", async () => {
      const before = await real();
      const currentVersion = {
        number: 1_000_000,
        versionId: "11111111-1111-4111-8111-111111111111",
        kmsKeyId: "f".repeat(32),
        promotedAt: "2026-01-02T03:04:05Z",
      };
      expect((await claim(SYSTEM, "secrets", { currentVersion })).stderr).toBe("");
      await eventually("the status is put right", async () => {
        const { versionId } = (await real()).status?.currentVersion ?? {};
        return versionId === before.status?.currentVersion?.versionId;
      });
      await expectUnharmed(before);
    });

    it("a validTo that is past or far away is written into its version => put back, and the key stays as it was", async () => {
      const [version] = await versionsOf(TENANT, "known");
      const name = version?.metadata.name ?? "";
      for (const validTo of ["2001-01-01T00:00:00Z", "2099-01-01T00:00:00Z"]) {
        const change = JSON.stringify({ spec: { validTo } });
        const patched = await cluster.plane.kubectl([
          ...["patch", "kv", name, "--type=merge", "-p", change],
          ...AS_NODE,
        ]);
        expect(patched.stderr).toBe("");
        await eventually("it is put back", async () => {
          const [now] = await versionsOf(TENANT, "known");
          return now?.spec.validTo === undefined;
        });
      }
      await operatorHasPassed();
      expect((await ready(TENANT, "known")).status?.keyState).toBe("Enabled");
    });
  });

  it("a validTo is written into a version that claviger made => refused, on creation of a copy too", async () => {
    const before = await real();
    const [version] = await versionsOf(SYSTEM, "secrets");
    if (version === undefined) throw new Error("there is no version");
    const validTo = "2001-01-01T00:00:00Z";
    const change = JSON.stringify({ spec: { validTo } });
    const patched = await cluster.plane.kubectl([
      ...["patch", "kv", version.metadata.name, "--type=merge", "-p", change],
      ...AS_NODE,
    ]);
    expect(patched.stderr).toMatch(/validTo is for imported material only/);
    const { apiVersion, kind, spec } = version;
    const copy = { apiVersion, kind, metadata: { name: "copy" }, spec: { ...spec, validTo } };
    const created = await cluster.plane.kubectl(["create", "-f", "-", ...AS_NODE], {
      stdin: JSON.stringify(copy),
    });
    expect(created.stderr).toMatch(/validTo is for imported material only/);
    await expectUnharmed(before);
  });

  it.each([
    ["with the proof of the original", (spec: KeyVersion["spec"]) => spec],
    ["without a proof", ({ ownership: _, ...spec }: KeyVersion["spec"]): KeyVersion["spec"] => spec],
  ])(
    "a copy of a version under a tenant's name, %s => the tenant's MasterKey gets a key of its own and cannot disable the other",
    async (text, change) => {
      const before = await real();
      const [version] = await versionsOf(SYSTEM, "secrets");
      if (version === undefined) throw new Error("there is no version");
      const name = text.startsWith("with the") ? "stolen" : "stolen-unproven";
      const { apiVersion, kind, spec } = version;
      const copy = {
        apiVersion,
        kind,
        metadata: { name: `a-${name}` },
        spec: { ...change(spec), masterKey: { namespace: TENANT, name } },
      };
      const created = await cluster.plane.kubectl(["create", "-f", "-", ...AS_NODE], {
        stdin: JSON.stringify(copy),
      });
      expect(created.stderr).toBe("");
      await create(name);
      const thief = await ready(TENANT, name);
      expect(thief.status?.keyId).not.toBe(before.status?.keyId);
      expect((await patch(TENANT, name, { spec: { enabled: false } })).stderr).toBe("");
      await eventually("the tenant's own key is disabled", async () => {
        return (await get(TENANT, name)).status?.keyState === "Disabled";
      });
      await operatorHasPassed();
      await expectUnharmed(before);
      const problem = conditionOf((await keyServer()).status?.conditions, "Ready")?.message;
      expect(problem).toMatch(/a-stolen.* does not match what this node holds/);
      await cluster.kubectl(["delete", "kv", `a-${name}`]);
    },
  );

  it("a deletion is written into the status that nobody asked for => the key continues to be served", async () => {
    const before = await real();
    const deletion = { scheduledAt: "2001-01-01T00:00:00Z", deletionDate: "2001-02-01T00:00:00Z" };
    expect((await claim(SYSTEM, "secrets", { deletion })).stderr).toBe("");
    await eventually("the status is put right", async () => (await real()).status?.deletion === undefined);
    await operatorHasPassed();
    await expectUnharmed(before);
  });

  it("the keyId is written into a new MasterKey before its leader comes => it is no key, says why, and made again it gets its own", async () => {
    const before = await real();
    const [node] = cluster.nodes;
    await node?.stop("operator");
    await create("claimant", { origin: "EXTERNAL" });
    const { keyId, currentVersion } = before.status ?? {};
    expect((await claim(TENANT, "claimant", { keyId, currentVersion })).stderr).toBe("");
    await node?.start("operator");
    const claimant = await eventually("the MasterKey says why it is no key", async () => {
      const key = await get(TENANT, "claimant");
      return conditionOf(key.status?.conditions, "Ready")?.reason === "KeyIdForeign" && key;
    });
    expect(claimant.status?.currentVersion).toBeUndefined();
    // Otherwise its import would bring known material into the other key, as a genuine version.
    expect(claimant.status?.import).toBeUndefined();
    expect((await patch(TENANT, "claimant", { spec: { enabled: false } })).stderr).toBe("");
    await operatorHasPassed();
    await expectUnharmed(before);
    await cluster.kubectl(["delete", "mk", "-n", TENANT, "claimant", "--timeout=120s"]);
    await create("claimant");
    expect((await ready(TENANT, "claimant")).status?.keyId).not.toBe(keyId);
    await expectUnharmed(before);
  });

  it("a keyring that an earlier release let be led to another key => the node says so, and claviger repair gives the key back", async () => {
    const before = await real();
    const [node] = cluster.nodes;
    if (node === undefined) throw new Error("there is no node");
    // Not an imported key, which a plugin would refuse in place of material that claviger generated.
    await create("elsewhere");
    const other = await ready(TENANT, "elsewhere");
    await node.stop("operator");
    const astray = new DatabaseSync(node.keyringPath);
    astray
      .prepare(
        "UPDATE keys SET key_id = ?, current_version_id = ?, current_number = 1, former_key_ids = ? WHERE name = 'secrets'",
      )
      .run(
        other.status?.keyId ?? "",
        other.status?.currentVersion?.versionId ?? "",
        before.status?.keyId ?? "",
      );
    astray.close();
    await eventually("the plugin follows its keyring", async () => {
      return (await kms.status()).keyId === other.status?.currentVersion?.kmsKeyId;
    });
    await node.start("operator");
    await eventually("the node says so", async () => {
      const problem = conditionOf((await keyServer()).status?.conditions, "Ready")?.message ?? "";
      return /encrypts under version 1 of MasterKey tenant\/elsewhere .* run claviger repair/.test(problem);
    });
    await node.stop("operator");
    const repaired = await run(
      process.execPath,
      [CLAVIGER, "repair", "--config", node.configPath, "claviger-system/secrets"],
      { cwd: node.dir, env: process.env, deadline: 120_000 },
    );
    expect(repaired.stdout, repaired.stderr).toContain("encrypts under version 1 of its own key");
    await node.stop("plugin");
    await node.startBoth();
    await cluster.ready();
    await eventually("the plugin serves the key again", async () => {
      return (await kms.status()).keyId === before.status?.currentVersion?.kmsKeyId;
    });
    // The API server may have asked while the plugin was led astray, and asks for Status again in a minute.
    await eventually("Secrets are written under the key again", () => isWrittenUnder(before), {
      deadline: 240_000,
      every: 2_000,
    });
    await expectUnharmed(before);
  });
});
