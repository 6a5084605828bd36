import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { conditionOf } from "../../src/resources/conditions.ts";
import type { MasterKey } from "../../src/resources/resources.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { Etcd } from "../controlplane/etcd.ts";
import { run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { applyKey, type Cluster, PROVIDER, startCluster } from "./cluster.ts";
import { claviger, encryptionRules, identity, kms, manifests, roleOfRewriters } from "./manifests.ts";

const binaries = await controlPlaneBinaries();
const CLAVIGER = `${import.meta.dirname}/../../bin/claviger.js`;

describe.skipIf(binaries === undefined)("an etcd that is not where the API server stores", () => {
  let folder: string;
  let other: Etcd;
  let cluster: Cluster;

  /** The API server keeps its ConfigMaps in a separate etcd. */
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "clv-etcd-"));
    other = await Etcd.create(binaries?.etcd ?? "", folder);
    await other.start();
    cluster = await startCluster({
      flags: () => [`--etcd-servers-overrides=/configmaps#${other.endpoint}`],
      environment: { CLAVIGER_TEST_SETTLE_SECONDS: "5" },
      encryption: ({ socket }) =>
        encryptionRules({
          resources: ["secrets", "configmaps"],
          providers: [kms(PROVIDER, socket), identity],
        }),
    });
    const configMaps = { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "patch"] };
    await cluster.kubectl(["apply", "-f", "-"], roleOfRewriters("rewrite-configmaps", [configMaps]));
    await replaceInConfig(cluster.plane.etcd.endpoint, other.endpoint);
    await applyKey(cluster);
  });
  afterAll(async () => {
    await cluster?.stop();
    await other?.kill9();
    await rm(folder, { recursive: true, force: true });
  });

  const node = () => {
    const [first] = cluster.nodes;
    if (first === undefined) throw new Error("there is no node");
    return first;
  };
  /** Changes the node's configuration and starts its operator with it. */
  const replaceInConfig = async (from: string, to: string) => {
    const { configPath } = node();
    const text = await readFile(configPath, "utf8");
    expect(text).toContain(from);
    await writeFile(configPath, text.replace(from, to));
    await node().stop("operator");
    await node().start("operator");
  };
  const statusOf = async (name: string) => {
    const args = ["get", "mk", "-n", "claviger-system", name, "-o", "json"];
    return (JSON.parse(await cluster.kubectl(args)) as MasterKey).status;
  };
  const says = (name: string, type: string, wanted: { reason: string; message: RegExp }) =>
    eventually(`${type} of ${name} is ${wanted.reason}: ${wanted.message}`, async () => {
      const { status, reason, message = "" } = conditionOf((await statusOf(name))?.conditions, type) ?? {};
      if (reason === wanted.reason && wanted.message.test(message)) return true;
      throw new Error(`${status} ${reason}: ${message}`);
    });

  it("proves no re-encryption and lets no key be deleted, and says what to look at", async () => {
    const notTheirs = /not the API server's etcd.*check etcd\.endpoints and etcd\.prefix/;
    await says("secrets", "Reencrypted", { reason: "CensusFailed", message: notTheirs });
    const unused = claviger("MasterKey", "unused", { deletion: { pendingWindowInDays: 7 } });
    await cluster.kubectl(["apply", "-f", "-"], manifests(unused));
    await says("unused", "DeletionBlocked", { reason: "NotCounted", message: notTheirs });
    expect((await statusOf("unused"))?.deletion).toBeUndefined();
    expect((await statusOf("secrets"))?.reencryption?.verified).not.toBe(true);
  });

  it("is told by claviger census and claviger doctor", async () => {
    const none = /etcd has no cluster under \/other: check etcd\.endpoints and etcd\.prefix/;
    const path = join(folder, "claviger.yaml");
    const text = await readFile(node().configPath, "utf8");
    const moved = text.replace("etcd:\n", "etcd:\n  prefix: /other\n").replaceAll("./", `${node().dir}/`);
    await writeFile(path, moved);
    const census = await run(process.execPath, [CLAVIGER, "census", "--config", path]);
    expect(census.code).not.toBe(0);
    expect(census.stderr).toMatch(none);
    const doctor = await run(process.execPath, [CLAVIGER, "doctor", "--config", path, "-o", "json"]);
    // The command looks for this node's Lease first.
    expect(doctor.stdout).toMatch(
      /not the API server's etcd: .* etcd under \/other lacks it; check etcd\.endpoints and etcd\.prefix/,
    );
  });

  it("of some resources only => names them, and proves nothing either", async () => {
    await replaceInConfig(other.endpoint, cluster.plane.etcd.endpoint);
    const elsewhere = /has configmaps that are not in this etcd, as with --etcd-servers-overrides/;
    await says("secrets", "Reencrypted", { reason: "CensusFailed", message: elsewhere });
    await says("unused", "DeletionBlocked", { reason: "NotCounted", message: elsewhere });
    expect((await statusOf("unused"))?.deletion).toBeUndefined();
  });
});
