import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { KeyVersion, MasterKey } from "../../src/resources/resources.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { applyKey, type Cluster, startCluster } from "./cluster.ts";
import { FaultProxy, type ProxiedCall } from "./fault-proxy.ts";
import type { ClavigerNode } from "./node.ts";
import { createSecrets, Probes, SecretWriter } from "./traffic.ts";

const binaries = await controlPlaneBinaries();
const CLAVIGER = join(import.meta.dirname, "..", "..", "bin", "claviger.js");
const NAMESPACE = "claviger-system";
const SEEDS = 60;
/** With the probes, every API server asks for Status within 20 s. */
const SETTLE_SECONDS = 8;
const LONG = { deadline: 600_000, every: 100 };
const KEY_VERSIONS = /\/keyversions$/;
const STATUS = /\/status$/;

const PHASES = ["Distributing", "Switching", "Reencrypting", "Verifying", "Complete"] as const;
const place = (phase: string | undefined): number => PHASES.indexOf(phase as (typeof PHASES)[number]);

const isWrite = ({ method }: ProxiedCall): boolean => method !== "GET";

describe.skipIf(binaries === undefined)("two operators whose API server storms", () => {
  let cluster: Cluster;
  let probes: Probes;
  let writer: SecretWriter;
  const proxies: FaultProxy[] = [];
  let tokens = 0;

  beforeAll(async () => {
    cluster = await startCluster({
      nodes: 2,
      environment: { CLAVIGER_TEST_SETTLE_SECONDS: String(SETTLE_SECONDS) },
      limits: { rotationsPerKeyPerHour: 1_000 },
      operatorKubeconfig: async (kubeconfig) => {
        const proxy = await FaultProxy.before(kubeconfig);
        proxies.push(proxy);
        return proxy.kubeconfig;
      },
    });
    probes = new Probes(cluster.plane.apiServers);
    await applyKey(cluster);
    const [server] = cluster.plane.apiServers;
    if (server === undefined) throw new Error("there is no API server");
    await createSecrets(server, SEEDS);
    // Somebody writes all the time: what is said to be complete must hold for this too.
    writer = new SecretWriter(server, "written");
    await complete(1);
  });
  beforeEach(() => {
    for (const proxy of proxies) {
      proxy.fault = () => undefined;
      proxy.forget();
    }
  });
  afterAll(async () => {
    await writer?.stop();
    await probes?.stop();
    for (const proxy of proxies) proxy.close();
    await cluster?.stop();
  });

  const masterKey = async (): Promise<MasterKey> =>
    JSON.parse(await cluster.kubectl(["get", "mk", "-n", NAMESPACE, "secrets", "-o", "json"]));
  const versions = async (): Promise<readonly KeyVersion[]> =>
    JSON.parse(await cluster.kubectl(["get", "kv", "-o", "json"])).items;
  const counted = (method: string, path: RegExp) =>
    proxies.reduce((sum, proxy) => sum + proxy.count(method, path), 0);
  const writes = () => proxies.reduce((sum, { calls }) => sum + calls.filter(isWrite).length, 0);

  /** Asks for the next version. Returns its number. */
  const rotate = async (): Promise<number> => {
    const { status } = await masterKey();
    tokens += 1;
    await cluster.kubectl([
      ...["patch", "mk", "-n", NAMESPACE, "secrets", "--type=merge", "-p"],
      JSON.stringify({ spec: { rotation: { requestToken: `storm-${tokens}` } } }),
    ]);
    return (status?.currentVersion?.number ?? 0) + 1;
  };
  /** Waits until the rotation to version `number` is in a phase, or past it. */
  const reached = async (number: number, wanted: (typeof PHASES)[number]): Promise<void> => {
    await eventually(
      `the rotation to version ${number} is ${wanted}`,
      async () => {
        const { rotation, reencryption, currentVersion } = (await masterKey()).status ?? {};
        const { running } = rotation ?? {};
        if (running === undefined) return currentVersion?.number === number;
        const phases = [running.phase, currentVersion?.number === number ? reencryption?.phase : undefined];
        return phases.some((phase) => place(phase) >= place(wanted));
      },
      LONG,
    );
  };
  /** Waits until version `number` is said to be complete and verified, and then counts by itself. */
  const complete = async (number: number): Promise<void> => {
    const kmsKeyId = await eventually(
      `version ${number} is complete and verified`,
      async () => {
        const { status } = await masterKey();
        const { currentVersion, reencryption, rotation } = status ?? {};
        const isDone = reencryption?.phase === "Complete" && reencryption.verified && !rotation?.running;
        const isCurrent =
          currentVersion?.number === number && reencryption?.kmsKeyId === currentVersion.kmsKeyId;
        return isDone && isCurrent && currentVersion.kmsKeyId;
      },
      LONG,
    );
    const args = [CLAVIGER, "census", "--config", node(0).configPath, "-o", "json"];
    const { stdout } = await run(process.execPath, args);
    const { rows } = JSON.parse(stdout) as { readonly rows: readonly CensusRow[] };
    const secrets = rows.filter(({ resource }) => resource === "secrets");
    expect(secrets.map(({ stored }) => stored.keyId)).toEqual([kmsKeyId]);
  };
  const node = (index: number): ClavigerNode => {
    const found = cluster.nodes[index];
    if (found === undefined) throw new Error(`there is no node ${index}`);
    return found;
  };
  const leader = async (): Promise<ClavigerNode> => {
    const holder = await cluster.kubectl([
      ...["get", "lease", "-n", NAMESPACE, "claviger-operator", "-o", "jsonpath={.spec.holderIdentity}"],
    ]);
    const found = cluster.nodes.find(({ name }) => name === holder);
    if (found === undefined) throw new Error(`${holder} leads and is no node`);
    return found;
  };

  it("all watches stall without a sign => they are given up within a minute, and one version is made, once", async () => {
    const before = (await versions()).length;
    await eventually("all watches are there", async () => proxies.every(({ watches }) => watches === 5));
    for (const proxy of proxies) proxy.stallWatches();
    const begun = performance.now();
    const number = await rotate();
    await eventually(`version ${number} exists`, async () => (await versions()).length > before, LONG);
    // A minute, and what a busy machine adds.
    expect(performance.now() - begun).toBeLessThan(90_000);
    await complete(number);
    expect((await versions()).length).toBe(before + 1);
    expect(counted("POST", KEY_VERSIONS)).toBe(1);
  });

  it("the watches of KeyVersions stall while one is made => no other material is made, and it ends", async () => {
    for (const proxy of proxies) proxy.stallWatches(KEY_VERSIONS);
    const number = await rotate();
    await complete(number);
    expect(counted("POST", KEY_VERSIONS)).toBe(1);
    expect((await versions()).filter(({ spec }) => spec.number === number)).toHaveLength(1);
    expect(writes()).toBeLessThan(400);
  });

  it("500 to every write of a status, then 429 with Retry-After to every call => few are tried, and it goes on", async () => {
    for (const proxy of proxies)
      proxy.fault = ({ method, path }) =>
        method === "PATCH" && STATUS.test(path) ? { status: 500 } : undefined;
    const number = await rotate();
    await sleep(10_000);
    expect(counted("PATCH", STATUS)).toBeLessThan(60);
    for (const proxy of proxies) {
      proxy.fault = () => ({ status: 429, headers: { "retry-after": "2" } });
      proxy.forget();
    }
    await sleep(10_000);
    expect(proxies.flatMap(({ calls }) => calls).length).toBeLessThan(150);
    for (const proxy of proxies) proxy.fault = () => undefined;
    await complete(number);
    expect(counted("POST", KEY_VERSIONS)).toBeLessThanOrEqual(1);
  });

  it.each([
    ["Distributing", 6],
    ["Switching", 20],
    ["Verifying", 60],
  ] as const)(
    "each call takes longer, and the leader is paused in %s for %i s => it ends, and what is said is true",
    async (when, seconds) => {
      const number = await rotate();
      const paused = (await leader()).running("operator");
      if (paused === undefined) throw new Error("the leader does not run");
      await reached(number, when);
      process.kill(paused.pid, "SIGSTOP");
      try {
        await sleep(seconds * 1_000);
      } finally {
        process.kill(paused.pid, "SIGCONT");
      }
      await complete(number);
      expect((await versions()).filter(({ spec }) => spec.number === number)).toHaveLength(1);
      expect(writes()).toBeLessThan(400);
    },
  );
});

interface CensusRow {
  readonly resource: string;
  readonly stored: { readonly keyId: string };
}
