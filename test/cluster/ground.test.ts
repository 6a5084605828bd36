import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readObservations } from "../../src/keyring/observations.ts";
import type { Lease } from "../../src/kube/leases.ts";
import { leasesPath, objectPath } from "../../src/kube/paths.ts";
import { conditionOf } from "../../src/resources/conditions.ts";
import type { KeyServer, MasterKey } from "../../src/resources/resources.ts";
import type { ApiServer } from "../controlplane/apiserver.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { type CommandResult, run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { CLAVIGER } from "../standalone/installation.ts";
import { applyKey, type Cluster, PROVIDER, startCluster } from "./cluster.ts";
import { encryptionRules, identity, kms, roleOfRewriters } from "./manifests.ts";
import type { ClavigerNode } from "./node.ts";
import { Probes } from "./traffic.ts";

const binaries = await controlPlaneBinaries();
const ENCRYPTED = "k8s:enc:kms:v2:";
/** The flags of kube-apiserver after `kubeadm upgrade apply`, without ours. */
const WITHOUT_FILE = [
  "--encryption-provider-config=",
  "--encryption-provider-config-automatic-reload=false",
] as const;
/** Formats a scope as a KeyServer does: claviger's own resources come first and are excluded. */
const written = (...resources: readonly string[]): readonly string[] =>
  resources.length === 0 ? [] : ["!*.kms.claviger.dev", ...resources];
/** Three times as long as an API server with the probes goes without asking. */
const SILENCE_SECONDS = 60;

describe.skipIf(binaries === undefined)("by which file an API server goes, and whether it asks", () => {
  let cluster: Cluster;
  let node: ClavigerNode;
  let server: ApiServer;
  let probes: Probes;

  beforeAll(async () => {
    cluster = await startCluster({
      environment: {
        CLAVIGER_TEST_SETTLE_SECONDS: "5",
        CLAVIGER_TEST_SILENCE_SECONDS: String(SILENCE_SECONDS),
      },
      encryption: ({ socket }) => file(["secrets"], socket),
    });
    const configMaps = { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "patch"] };
    await cluster.kubectl(["apply", "-f", "-"], roleOfRewriters("rewrite-configmaps", [configMaps]));
    await applyKey(cluster);
    const [only] = cluster.nodes;
    const [api] = cluster.plane.apiServers;
    if (only === undefined || api === undefined) throw new Error("there is no node");
    node = only;
    server = api;
    probes = new Probes([server]);
  });
  afterAll(async () => {
    await probes?.stop();
    await cluster?.stop();
  });

  const file = (resources: readonly string[], socket: string, ...others: readonly object[]): string =>
    encryptionRules({ resources, providers: [kms(PROVIDER, socket), ...others, identity] });
  const edit = (text: string) => writeFile(node.encryptionConfigPath, text);
  const keyServer = () => cluster.read<KeyServer>(objectPath("KeyServer", { name: "node-1" }));
  const inStep = async () => conditionOf((await keyServer()).status?.conditions, "ApiServerInStep");
  const provider = async () => (await keyServer()).status?.providers?.[0];
  const masterKey = () =>
    cluster.read<MasterKey>(objectPath("MasterKey", { namespace: "claviger-system", name: "secrets" }));
  /** When the operator last renewed the node's Lease, which it does only once it has reported. */
  const renewedAt = async () => {
    const { spec } = await cluster.read<Lease>(`${leasesPath("claviger-system")}/claviger-node-node-1`);
    return Date.parse(spec?.renewTime ?? "");
  };
  const reencrypted = async () => conditionOf((await masterKey()).status?.conditions, "Reencrypted");
  /** Waits until nothing reports any more that stored data are under the key. */
  const notComplete = () =>
    eventually("nothing says that all is stored under the key", async () => {
      const { conditions, reencryption } = (await masterKey()).status ?? {};
      const found = conditionOf(conditions, "Reencrypted");
      if (found?.status === "True" || reencryption?.phase === "Complete" || reencryption?.verified === true)
        throw new Error(JSON.stringify({ found, reencryption }));
      return true;
    });
  const says = (reason: string, deadline = 60_000) =>
    eventually(
      `the KeyServer says ${reason}`,
      async () => {
        const found = await inStep();
        if (found?.reason === reason) return found;
        throw new Error(JSON.stringify(found));
      },
      { deadline },
    );
  const createConfigMap = (name: string) =>
    cluster.kubectl(["create", "configmap", name, "--from-literal=text=plain"]);
  const stored = async (path: string) => {
    const [entry] = await cluster.plane.etcd.get(`/registry/${path}`);
    return entry?.value.toString("latin1", 0, ENCRYPTED.length);
  };
  const claviger = (command: string): Promise<CommandResult> =>
    run(process.execPath, [CLAVIGER, command, "--config", node.configPath]);
  /** Returns the Encrypts that the plugin counted, including probes. */
  const counted = () => readObservations(node.keyringPath)[0]?.encrypts ?? 0;
  const loaded = (resources: readonly string[]) =>
    eventually(
      `${resources.join(", ")} are on the socket`,
      async () => {
        const found = (await keyServer()).status;
        const [only] = found?.providers ?? [];
        const isSame = JSON.stringify(only?.resources) === JSON.stringify(written(...resources));
        if (isSame && found?.apiServer?.encryptionConfig === "Loaded" && only?.editNotTakenUp === undefined)
          return only;
        throw new Error(JSON.stringify(found?.apiServer));
      },
      { deadline: 150_000 },
    );

  it("goes by the file on the disk, by its own word => InStep, with the episode and the time of the last Status", async () => {
    const found = await says("InStep");
    expect(found.status).toBe("True");
    await eventually("its first Status is reported", async () => (await provider())?.lastStatusTime);
    const { status } = await keyServer();
    expect(status?.apiServer).toMatchObject({ encryptionConfig: "Loaded" });
    expect(status?.apiServer?.id).toMatch(/^apiserver-[a-z2-7]{26}$/);
    expect(status?.providers?.[0]).toMatchObject({
      resources: written("secrets"),
      reads: written("secrets"),
    });
    expect(status?.providers?.[0]?.episode).toMatch(/^[0-9a-f-]{36}$/);
    expect(status?.providers?.[0]?.lastStatusTime).toBeDefined();
    expect(status?.providers?.[0]).not.toHaveProperty("notAskedSince");
    await cluster.kubectl(["get", "lease", "-n", "kube-system", status?.apiServer?.id ?? ""]);
    expect((await claviger("status")).code).toBe(0);
  });

  it("has tried an edit and dropped it, as another provider of it does not answer => what it did for that proves nothing", async () => {
    await eventually("what is stored is verified", async () => (await reencrypted())?.reason === "Verified");
    await loaded(["secrets"]);
    const before = await provider();
    const countedBefore = counted();
    const socket = node.socket(PROVIDER);
    await edit(file(["secrets", "configmaps"], socket, kms("older", join(node.dir, "nobody.sock"))));
    const { message } = await says("EncryptionConfigRefused", 150_000);
    expect(message).toMatch(/did not load it, .* Do not restart it before/);
    await eventually("the API server has tried it on the plugin", async () => counted() > countedBefore);
    await createConfigMap("probed");
    expect(await stored("configmaps/default/probed")).not.toBe(ENCRYPTED);
    expect(await provider()).toMatchObject({ resources: written("secrets"), encrypts: before?.encrypts });
    expect((await provider())?.editNotTakenUp).toBeDefined();
    expect((await masterKey()).status?.reencryption?.resources).toEqual(written("secrets"));
    await eventually("the MasterKey waits for it", async () => {
      const found = await reencrypted();
      return found?.status !== "True" && found?.reason === "EncryptionConfigNotLoaded";
    });
    const doctor = await claviger("doctor");
    expect(doctor.stdout).toContain("ApiServerNotInStep");
    expect(doctor.code).toBe(1);
  });

  it("and the operator is started again meanwhile => what was reported of the file before stands", async () => {
    const before = await provider();
    await node.stop("operator");
    const stoppedAt = Date.now();
    await node.start("operator");
    await eventually("it has reported again", async () => (await renewedAt()) > stoppedAt);
    await eventually("it has the API server's own word again", async () => {
      const { status } = await keyServer();
      return status?.apiServer?.encryptionConfig === "NotLoaded";
    });
    expect(await provider()).toMatchObject({
      resources: written("secrets"),
      editNotTakenUp: before?.editNotTakenUp,
    });
    expect((await keyServer()).status?.apiServer).toMatchObject({ encryptionConfig: "NotLoaded" });
  });

  it("refuses an edit => said by name, and nobody is told to restart it", async () => {
    const refused = file(["secrets", "configmaps"], node.socket(PROVIDER)).replace(
      "timeout: 3s",
      "timeout: 3s\n          cachesize: 1000",
    );
    const former = (await provider())?.editNotTakenUp;
    await edit(refused);
    const { message } = await eventually(
      "it has tried this one too",
      async () => {
        const found = await says("EncryptionConfigRefused", 150_000);
        const { message: text } = found;
        const { editNotTakenUp = "" } = (await provider()) ?? {};
        return editNotTakenUp !== former && text.includes(editNotTakenUp) ? found : undefined;
      },
      { deadline: 200_000 },
    );
    expect(message).toContain(node.encryptionConfigPath);
    expect(message).not.toMatch(/without automatic reload, restart it/);
    expect(await provider()).toMatchObject({ resources: written("secrets") });
    await createConfigMap("refused");
    expect(await stored("configmaps/default/refused")).not.toBe(ENCRYPTED);
  });

  it("takes up the mended file => its resources are on the socket, and it settles anew", async () => {
    await edit(file(["secrets", "configmaps"], node.socket(PROVIDER)));
    await loaded(["secrets", "configmaps"]);
    await says("InStep");
    await createConfigMap("after");
    expect(await stored("configmaps/default/after")).toBe(ENCRYPTED);
    await eventually("it is settled", async () => (await provider())?.settled);
  });

  it("is started without the flag => said at once by its own word, by doctor and by status, and by its silence", async () => {
    const { episode } = (await provider()) ?? {};
    await server.restart(WITHOUT_FILE);
    await server.ready("/livez");
    const { status, message } = await says("EncryptionConfigNotConfigured");
    expect(status).toBe("False");
    expect(message).toMatch(/kubeadm upgrade apply/);
    const found = await provider();
    expect(found).toMatchObject({ entries: 0, resources: [], reads: [], episode });
    expect(found?.editNotTakenUp).toBeDefined();
    await notComplete();
    const doctor = await claviger("doctor");
    expect(doctor.code).toBe(1);
    expect(doctor.stdout).toContain("started without --encryption-provider-config");
    expect(doctor.stdout).not.toContain("from before");
    const told = await claviger("status");
    expect(told.code).not.toBe(0);
    expect(`${told.stdout}${told.stderr}`).toContain("started without --encryption-provider-config");
    await eventually(
      "nobody has asked for Status for too long",
      async () => (await provider())?.notAskedSince,
      { deadline: (SILENCE_SECONDS + 60) * 1000 },
    );
  });

  it("is started with the flag again => another episode, and what it writes is encrypted", async () => {
    const before = await provider();
    await server.restart();
    await server.ready();
    await loaded(["secrets", "configmaps"]);
    await says("InStep");
    const after = await provider();
    expect(after?.episode).not.toBe(before?.episode);
    expect(after).not.toHaveProperty("notAskedSince");
    await eventually("all is verified again", async () => (await reencrypted())?.reason === "Verified", {
      deadline: 200_000,
    });
    await createConfigMap("again");
    expect(await stored("configmaps/default/again")).toBe(ENCRYPTED);
  });

  it("goes by a file that puts identity first => nothing is written under the key, and it can still be read", async () => {
    const resources = ["secrets", "configmaps"];
    const providers = [identity, kms(PROVIDER, node.socket(PROVIDER))];
    await edit(encryptionRules({ resources, providers }));
    await loaded([]);
    expect(await provider()).toMatchObject({ entries: 1, reads: written(...resources) });
    await createConfigMap("plain");
    expect(await stored("configmaps/default/plain")).not.toBe(ENCRYPTED);
    await notComplete();
  });
});
