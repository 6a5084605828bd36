import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { conditionOf } from "../../src/resources/conditions.ts";
import type { MasterKey } from "../../src/resources/resources.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { eventually } from "../controlplane/wait.ts";
import { applyKey, type Cluster, PROVIDER, startCluster } from "./cluster.ts";
import { encryptionRules, identity, kms, roleOfRewriters } from "./manifests.ts";

const binaries = await controlPlaneBinaries();

describe.skipIf(binaries === undefined)("an EncryptionConfiguration that is edited", () => {
  let cluster: Cluster;
  let path: string;

  /** The API server does not reload the file by itself, as is its default. */
  beforeAll(async () => {
    cluster = await startCluster({
      flags: () => ["--encryption-provider-config-automatic-reload=false"],
      environment: { CLAVIGER_TEST_SETTLE_SECONDS: "5" },
      encryption: ({ socket }) => rules(["secrets"], socket),
    });
    const configMaps = { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "patch"] };
    await cluster.kubectl(["apply", "-f", "-"], roleOfRewriters("rewrite-configmaps", [configMaps]));
    await applyKey(cluster);
    path = cluster.nodes[0]?.encryptionConfigPath ?? "";
  });
  afterAll(() => cluster?.stop());

  const rules = (resources: readonly string[], socket: string): string =>
    encryptionRules({ resources, providers: [kms(PROVIDER, socket), identity] });
  const masterKey = async (): Promise<MasterKey> =>
    JSON.parse(await cluster.kubectl(["get", "mk", "-n", "claviger-system", "secrets", "-o", "json"]));
  const reencrypted = async () => conditionOf((await masterKey()).status?.conditions, "Reencrypted");
  const stored = async () => {
    const [entry] = await cluster.plane.etcd.get("/registry/configmaps/default/plain");
    return entry?.value.toString("latin1", 0, 15);
  };

  it("is complete only once the API server goes by it, though the key_id has not changed", async () => {
    await eventually("what is stored is encrypted", async () => (await reencrypted())?.reason === "Verified");
    const node = cluster.nodes[0];
    if (node === undefined) throw new Error("there is no node");
    await writeFile(path, rules(["secrets", "configmaps"], node.socket(PROVIDER)));
    await eventually("the condition says what to do", async () => {
      const { message = "" } = (await reencrypted()) ?? {};
      if (/to take up the EncryptionConfiguration of .*: the condition ApiServerInStep/.test(message))
        return true;
      throw new Error(message);
    });
    const keyServer = JSON.parse(await cluster.kubectl(["get", "ks", "node-1", "-o", "json"]));
    expect(conditionOf(keyServer.status.conditions, "ApiServerInStep")).toMatchObject({
      reason: "EncryptionConfigNotLoaded",
      message: expect.stringContaining("without automatic reload, restart it"),
    });
    await cluster.kubectl(["create", "configmap", "plain", "--from-literal=text=plain"]);
    expect(await stored()).not.toBe("k8s:enc:kms:v2:");
    expect((await reencrypted())?.status).toBe("False");

    for (const server of cluster.plane.apiServers) await server.restart();
    await cluster.ready();
    await eventually(
      "ConfigMaps are encrypted too",
      async () => {
        const { status } = await masterKey();
        return (
          status?.reencryption?.verified === true && status.reencryption.resources.includes("configmaps")
        );
      },
      { deadline: 200_000 },
    );
    expect(await stored()).toBe("k8s:enc:kms:v2:");
  });
});
