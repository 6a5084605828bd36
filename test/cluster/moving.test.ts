import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildPeers } from "../../bench/peers.ts";
import { type StoredValue, storedValue } from "../../src/storage/etcd/stored-value.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { type RunningProcess, startProcess } from "../controlplane/processes.ts";
import { run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { operationsBlock } from "../docs/markdown.ts";
import { type Cluster, exampleKey, startCluster } from "./cluster.ts";
import { encryptionRules, identity, kms, manifests, object, roleOfRewriters } from "./manifests.ts";
import { Manual } from "./manual.ts";
import { Probes } from "./traffic.ts";

const binaries = await controlPlaneBinaries();
const CLAVIGER = join(import.meta.dirname, "..", "..", "bin", "claviger.js");
const AES_KEY = randomBytes(32).toString("base64");
const NUMBERS = Array.from({ length: 10 }, (_, index) => index);

/**
 * Secrets are encrypted by a key of the file, ConfigMaps by Kubernetes' own example of a KMS v2 plugin, and
 * some of both are still plain.
 */
describe.skipIf(binaries === undefined)("a cluster that was encrypted otherwise", () => {
  let cluster: Cluster;
  let manual: Manual;
  let probes: Probes;
  let folder: string;
  let other: RunningProcess;
  let clock: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "clv-moving-"));
    clock = join(folder, "clock");
    await writeFile(clock, "0");
    other = await startOther(folder);
    cluster = await startCluster({
      controllers: true,
      encryption: () => encryptionRules({ resources: ["secrets"], providers: [identity] }),
      environment: {
        CLAVIGER_TEST_CLOCK: clock,
        CLAVIGER_TEST_SETTLE_SECONDS: "25",
        CLAVIGER_TEST_SILENCE_SECONDS: "60",
      },
    });
    manual = await Manual.open(cluster);
    probes = new Probes(cluster.plane.apiServers);
    const right = { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "patch"] };
    await cluster.kubectl(["apply", "-f", "-"], roleOfRewriters("more", [right]));
    await cluster.ready();
    await create("plain");
    await use(before(join(folder, "other.sock")));
    await create("thing");
  });
  afterAll(async () => {
    await probes?.stop();
    await cluster?.stop();
    await manual?.close();
    await other?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const create = (prefix: string) =>
    cluster.kubectl(
      ["apply", "-f", "-"],
      manifests(
        ...NUMBERS.map((number) =>
          object("Secret", `${prefix}-${number}`, { stringData: { text: "a text" } }),
        ),
        ...NUMBERS.map((number) => object("ConfigMap", `${prefix}-${number}`, { data: { text: "a text" } })),
      ),
    );
  const at = async (name: string) => {
    const [node] = cluster.nodes;
    if (node === undefined) throw new Error("there is no node");
    await use(documented(name, node.socket("secrets"), join(folder, "other.sock")));
  };
  const use = async (text: string) => {
    await writeFile(cluster.nodes[0]?.encryptionConfigPath ?? "", text);
    await restart();
  };
  const restart = async () => {
    await cluster.plane.apiServers[0]?.restart();
    await cluster.ready();
  };
  const readable = async () => {
    for (const kind of ["secrets", "configmaps"]) {
      const { items } = JSON.parse(await cluster.kubectl(["get", kind, "-o", "json"]));
      const things = items.filter(({ metadata }: Named) => /^(plain|thing)-/.test(metadata.name));
      expect(things).toHaveLength(2 * NUMBERS.length);
      const expected = kind === "secrets" ? Buffer.from("a text").toString("base64") : "a text";
      expect(new Set(things.map(({ data }: Named) => data.text))).toEqual(new Set([expected]));
    }
  };
  /** Returns how etcd stores the objects of a resource. */
  const stored = async (resource: string) => {
    const entries = await cluster.plane.etcd.get(`/registry/${resource}/`);
    return [...new Set(entries.map(({ value }) => text(storedValue(value))))].sort();
  };
  const census = async (): Promise<readonly { resource: string; stored: StoredValue }[]> => {
    const args = [CLAVIGER, "census", "--config", cluster.nodes[0]?.configPath ?? "", "-o", "json"];
    const { code, stdout, stderr } = await run(process.execPath, args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return JSON.parse(stdout).rows;
  };

  it("moves to claviger in two steps, and everything that was stored follows", async () => {
    expect(await stored("secrets")).toEqual(["aescbc key1", "plain"]);
    expect(await stored("configmaps")).toEqual(["kms-v2 other", "plain"]);
    await cluster.kubectl(["apply", "-f", "-"], exampleKey());
    await cluster.kubectl([
      "wait",
      "--for=condition=Ready",
      "-n",
      "claviger-system",
      "mk/secrets",
      "--timeout=110s",
    ]);
    await at("moving in 1");
    await readable();
    expect(await stored("secrets")).toEqual(["aescbc key1", "plain"]);

    await at("moving in 2");
    await eventually(
      "everything is under the key",
      async () => {
        // If claviger was faster than the restart, it starts another round after a pause.
        await writeFile(clock, String(Math.round(performance.now())));
        const { status } = JSON.parse(
          await cluster.kubectl(["get", "mk", "-n", "claviger-system", "secrets", "-o", "json"]),
        );
        const { phase, verified, resources } = status.reencryption ?? {};
        if (phase === "Complete" && verified && resources.includes("configmaps")) return true;
        throw new Error(JSON.stringify([status.reencryption, status.conditions]));
      },
      { deadline: 600_000 },
    );
    expect(await stored("secrets")).toEqual(["kms-v2 secrets"]);
    expect(await stored("configmaps")).toEqual(["kms-v2 configmaps"]);
    expect(new Set((await census()).map((row) => text(row.stored)))).toEqual(
      new Set(["kms-v2 secrets", "kms-v2 configmaps"]),
    );
    await other.stop();
    await use(after(cluster.nodes[0]?.socket("secrets") ?? ""));
    await readable();
  });

  it("moves out again, and needs no claviger any more", async () => {
    await at("moving out");
    await readable();
    const [rewrite = ""] = operationsBlock("moving out rewrite").split("\n");
    expect(rewrite).toMatch(/^kubectl get secrets,configmaps -A -o json \| kubectl replace -f - /);
    const all = await cluster.kubectl(["get", "secrets,configmaps", "-A", "-o", "json"]);
    await cluster.kubectl(["replace", "-f", "-"], all);
    expect((await census()).map((row) => text(row.stored))).toEqual(["plain", "plain"]);
    expect([await stored("secrets"), await stored("configmaps")]).toEqual([["plain"], ["plain"]]);
    const none = encryptionRules({ resources: ["secrets"], providers: [identity] });
    await use(none);
    await readable();
  });

  it("with claviger stopped first, keeps its keys, which say by whom they are used", async () => {
    const [node] = cluster.nodes;
    await node?.stop("operator");
    await node?.stop("plugin");
    const { code, stderr } = await cluster.plane.kubectl([
      "delete",
      "mk",
      "-n",
      "claviger-system",
      "secrets",
    ]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/is not deleted: the key is used by provider secrets/),
    ]);
    await eventually("the operator counts as one that does not run", async () => {
      const { stdout } = await manual.shell("claviger uninstall --check");
      return /by the last word of an operator that does not run.*start claviger on node-1/s.test(stdout);
    });
    await node?.startBoth();
  });

  it("uninstalls to the letter: each step ends, and nothing of claviger is left", async () => {
    await eventually(
      "no API server needs the key any more",
      async () => {
        const { code, stdout } = await manual.shell(operationsBlock("moving out check"));
        if (code === 1 && !/API server/.test(stdout)) return true;
        throw new Error(stdout);
      },
      { deadline: 600_000 },
    );
    await manual.follow("moving out keys");
    await cluster.nodes[0]?.stop("operator");
    await cluster.nodes[0]?.stop("plugin");
    expect(await manual.follow("moving out uninstall")).toMatch(
      /nothing of claviger is left in this cluster/,
    );
    await restart();
    await readable();
  });
});

async function startOther(folder: string): Promise<RunningProcess> {
  const { referencePlugin } = await buildPeers();
  const args = ["--socket", join(folder, "other.sock"), "--key-file", join(folder, "other.key")];
  const log = join(folder, "other.log");
  return startProcess({ name: "reference-plugin", binary: referencePlugin, args, log, home: folder });
}

interface Named {
  readonly metadata: { readonly name: string };
  readonly data: { readonly text: string };
}

const text = (stored: StoredValue): string => {
  const { kind } = stored;
  if ("keyName" in stored) return `${kind} ${stored.keyName}`;
  return "provider" in stored ? `${kind} ${stored.provider}` : kind;
};

const aescbc = { aescbc: { keys: [{ name: "key1", secret: AES_KEY }] } };

const before = (socket: string): string =>
  encryptionRules(
    { resources: ["secrets"], providers: [aescbc, identity] },
    { resources: ["configmaps"], providers: [kms("other", socket), identity] },
  );

const after = (socket: string): string =>
  encryptionRules(
    { resources: ["secrets"], providers: [kms("secrets", socket), identity] },
    { resources: ["configmaps"], providers: [kms("configmaps", socket), identity] },
  );

/** Returns a configuration of docs/operations with this test's sockets and key. */
const documented = (name: string, socket: string, other: string): string =>
  operationsBlock(name)
    .replaceAll("/var/run/claviger/secrets.sock", socket)
    .replaceAll("/var/run/other/other.sock", other)
    .replaceAll("THE-SECRET-OF-BEFORE", AES_KEY);
