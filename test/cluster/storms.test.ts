import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { KeyVersion, MasterKey } from "../../src/resources/resources.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { applyKey, type Cluster, startCluster } from "./cluster.ts";
import { type Fault, FaultProxy, type ProxiedCall } from "./fault-proxy.ts";
import { HalfSpeed, millisecondsOfWrite } from "./half-speed.ts";
import type { ClavigerNode } from "./node.ts";
import { createSecrets, Probes, SecretWriter } from "./traffic.ts";

const binaries = await controlPlaneBinaries();
const CLAVIGER = join(import.meta.dirname, "..", "..", "bin", "claviger.js");
const NAMESPACE = "claviger-system";
const MASTER_KEY = `/apis/kms.claviger.dev/v1alpha1/namespaces/${NAMESPACE}/masterkeys/secrets`;
const LEADER = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/claviger-operator`;
const SEEDS = 60;
/** With the probes, every API server asks for Status within 20 s. */
const SETTLE_SECONDS = 8;
const LONG = { deadline: 600_000, every: 250 };
const KEY_VERSIONS = /\/keyversions$/;
const STATUS = /\/status$/;
const REPORTS = /\/keyservers\/[^/]+\/status$/;
const SECRET = /\/secrets\/[^/]+$/;

const PHASES = ["Distributing", "Switching", "Reencrypting", "Verifying", "Complete"] as const;
type Phase = (typeof PHASES)[number];
const place = (phase: string | undefined): number => PHASES.indexOf(phase as Phase);

const isWrite = ({ method }: ProxiedCall): boolean => method !== "GET";

describe.skipIf(binaries === undefined)("two operators whose API server storms", () => {
  let cluster: Cluster;
  let probes: Probes;
  let writer: SecretWriter;
  const proxies: FaultProxy[] = [];
  /** The proxies of the identity that rewrites stored objects. */
  const rewriters: FaultProxy[] = [];
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
      rewriterKubeconfig: async (kubeconfig) => {
        const proxy = await FaultProxy.before(kubeconfig);
        rewriters.push(proxy);
        return proxy.kubeconfig;
      },
    });
    probes = new Probes(cluster.plane.apiServers);
    await applyKey(cluster);
    const [server] = cluster.plane.apiServers;
    if (server === undefined) throw new Error("there is no API server");
    await createSecrets(server, SEEDS);
    // Writes all the time: a report of complete must be true for these writes too.
    writer = new SecretWriter(server, "written");
    await complete(1);
  });
  beforeEach(() => {
    for (const proxy of [...proxies, ...rewriters]) {
      proxy.fault = () => undefined;
      proxy.forget();
    }
  });
  afterAll(async () => {
    await writer?.stop();
    await probes?.stop();
    for (const proxy of [...proxies, ...rewriters]) proxy.close();
    await cluster?.stop();
  });

  /** Reads directly from the API server: a phase of some seconds must not be missed while kubectl starts. */
  const read = async (path: string): Promise<unknown> => {
    const { status, body } = (await cluster.plane.apiServers[0]?.request("GET", path)) ?? {};
    if (status !== 200) throw new Error(`HTTP ${status} for ${path}`);
    return body;
  };
  const masterKey = async () => (await read(MASTER_KEY)) as MasterKey;
  const versions = async (): Promise<readonly KeyVersion[]> =>
    JSON.parse(await cluster.kubectl(["get", "kv", "-o", "json"])).items;
  const counted = (method: string, path: RegExp) =>
    proxies.reduce((sum, proxy) => sum + proxy.count(method, path), 0);
  const writes = () => proxies.reduce((sum, { calls }) => sum + calls.filter(isWrite).length, 0);

  /** Requests the next version. Returns its number. */
  const rotate = async (): Promise<number> => {
    const { status } = await masterKey();
    tokens += 1;
    await cluster.kubectl([
      ...["patch", "mk", "-n", NAMESPACE, "secrets", "--type=merge", "-p"],
      JSON.stringify({ spec: { rotation: { requestToken: `storm-${tokens}` } } }),
    ]);
    return (status?.currentVersion?.number ?? 0) + 1;
  };
  const rewritten = () => rewriters.reduce((sum, proxy) => sum + proxy.count("PATCH", SECRET), 0);

  /** Returns the phase of the rotation to version `number`, or undefined before it begins. */
  const phaseOf = async (number: number): Promise<Phase | undefined> => {
    const { rotation, reencryption, currentVersion } = (await masterKey()).status ?? {};
    const isCurrent = currentVersion?.number === number;
    if (rotation?.running === undefined) return isCurrent ? "Complete" : undefined;
    // Right after the promotion the status still says that everything is complete for the former version.
    const isOfThis = isCurrent && reencryption?.kmsKeyId === currentVersion.kmsKeyId;
    const phases = [rotation.running.phase, isOfThis ? reencryption?.phase : undefined];
    return PHASES[Math.max(...phases.map(place))];
  };
  /**
   * Makes a phase last until `release` is called, by holding back requests: the nodes' reports that they have
   * stored the version, the writes of stored objects, or, once `begun` returns true, the nodes' reports that
   * their API servers have settled. Switching lasts until the API servers ask for Status again.
   */
  const hold = (phase: Phase) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const holding = (path: RegExp) => (call: ProxiedCall) =>
      isWrite(call) && path.test(call.path) ? ({ heldUntil: promise } satisfies Fault) : undefined;
    if (phase === "Distributing") for (const proxy of proxies) proxy.fault = holding(REPORTS);
    if (phase === "Reencrypting") for (const proxy of rewriters) proxy.fault = holding(SECRET);
    return {
      begun: (now: Phase | undefined) => {
        if (phase !== "Verifying") return;
        const isTime = now === "Reencrypting" || now === "Verifying";
        for (const proxy of proxies) proxy.fault = isTime ? holding(REPORTS) : () => undefined;
      },
      release: () => {
        for (const proxy of [...proxies, ...rewriters]) proxy.fault = () => undefined;
        resolve();
      },
    };
  };
  /** Begins a rotation and pauses its leader in that phase. */
  const pauseLeaderIn = async (phase: Phase, begun: (now: Phase | undefined) => void) => {
    let number = await rotate();
    const pid = await eventually(
      `the leader is paused while version ${number} is ${phase}`,
      async () => {
        const now = await phaseOf(number);
        begun(now);
        if (place(now) > place(phase)) {
          // The phase was over before anybody looked, so it is repeated.
          await complete(number);
          for (const proxy of [...proxies, ...rewriters]) proxy.forget();
          number = await rotate();
          return false;
        }
        if (now !== phase || (phase === "Reencrypting" && rewritten() === 0))
          throw new Error(`it is ${now}, and ${rewritten()} objects were written again`);
        const { name, pid } = await runningLeader();
        process.kill(pid, "SIGSTOP");
        // Nobody else can have moved it since.
        const then = await phaseOf(number).catch(String);
        if (then === phase) return pid;
        process.kill(pid, "SIGCONT");
        throw new Error(`it was ${then} when ${name} was paused`);
      },
      LONG,
    );
    return { number, pid };
  };
  const runningLeader = async () => {
    const found = await leader();
    const pid = found.running("operator")?.pid;
    if (pid === undefined) throw new Error(`the operator of ${found.name} leads and does not run`);
    return { name: found.name, pid };
  };
  /** Waits until version `number` is reported complete and verified, and then counts by itself. */
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
    const { spec } = (await read(LEADER)) as { readonly spec: { readonly holderIdentity?: string } };
    const { holderIdentity: holder } = spec;
    const found = cluster.nodes.find(({ name }) => name === holder);
    if (found === undefined) throw new Error(`${holder} leads and is no node`);
    return found;
  };

  it("all watches stall without a sign => they are given up, and one version is made, once", async () => {
    const before = (await versions()).length;
    await eventually(
      "all watches are there",
      async () => proxies.every(({ watches }) => watches === 5),
      LONG,
    );
    for (const proxy of proxies) proxy.stallWatches();
    const number = await rotate();
    await eventually(`version ${number} exists`, async () => (await versions()).length > before, LONG);
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

  it("etcd runs for half of the time => a rotation ends, what is said is true, and few calls are made", async () => {
    const { etcd } = cluster.plane;
    if (etcd.pid === undefined) throw new Error("etcd does not run");
    const times = [await millisecondsOfWrite(etcd)];
    const slow = new HalfSpeed(etcd.pid);
    let number: number;
    try {
      times.push(await millisecondsOfWrite(etcd));
      number = await rotate();
      await complete(number);
    } finally {
      await slow.stop();
    }
    times.push(await millisecondsOfWrite(etcd));
    const [before, meanwhile, after] = times.map((time) => time.toFixed(2));
    console.info(`a write to etcd took ${before} ms, ${meanwhile} ms at half speed, ${after} ms after that`);
    expect((await versions()).filter(({ spec }) => spec.number === number)).toHaveLength(1);
    expect(counted("POST", KEY_VERSIONS)).toBe(1);
    expect(writes()).toBeLessThan(400);
    expect(rewritten()).toBeLessThan(5 * SEEDS);
  });

  it.each([
    ["Distributing", 6],
    ["Switching", 20],
    ["Reencrypting", 20],
    ["Verifying", 60],
  ] as const)(
    "the leader is paused in %s for %i s => the rotation ends, and what is said is true",
    async (when, seconds) => {
      const { begun, release } = hold(when);
      const { number, pid } = await pauseLeaderIn(when, begun).finally(release);
      try {
        await sleep(seconds * 1_000);
      } finally {
        process.kill(pid, "SIGCONT");
      }
      await complete(number);
      expect((await versions()).filter(({ spec }) => spec.number === number)).toHaveLength(1);
      expect(writes()).toBeLessThan(400);
      expect(rewritten()).toBeLessThan(5 * SEEDS);
    },
  );
});

interface CensusRow {
  readonly resource: string;
  readonly stored: { readonly keyId: string };
}
