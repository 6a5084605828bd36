/**
 * `node bench/many-keys.ts`: one operator with many MasterKeys on a real control plane. Options:
 * `--keys 500,1000,2000`, `--release FOLDER` (another release than this checkout), `--patience SECONDS`.
 */
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { parseKeyId } from "../src/crypto/ids.ts";
import { generateMaterial } from "../src/crypto/key-specs.ts";
import { sealVersion } from "../src/keys/seal-version.ts";
import { KubeClient } from "../src/kube/client.ts";
import type { Lease } from "../src/kube/leases.ts";
import { collectionPath, leasesPath } from "../src/kube/paths.ts";
import { type Reflectable, Reflector } from "../src/kube/reflector.ts";
import { conditionOf } from "../src/resources/conditions.ts";
import { keyVersionName, toKeyVersionSpec } from "../src/resources/key-version-rows.ts";
import type { KeyVersion, MasterKey } from "../src/resources/resources.ts";
import { sealsIn } from "../src/testing/seals.ts";
import { applyKey, type Cluster, startCluster } from "../test/cluster/cluster.ts";
import { removeOnExit } from "../test/controlplane/reaper.ts";
import { eventually } from "../test/controlplane/wait.ts";
import { ApiClient } from "./api-client.ts";
import { describeMachine } from "./machine.ts";
import { parseStatus } from "./proc-status.ts";
import { median } from "./statistics.ts";
import { figure, markdownTable } from "./table.ts";

const NAMESPACES = 20;
const VERSIONS = 5;
const CONNECTIONS = 8;
const IDLE_SECONDS = 40;
const REACTIONS = 5;
const NOTHING = "—";

interface Measured {
  readonly keys: number;
  readonly ready: string;
  readonly readyCpu: string;
  readonly rotated: string;
  readonly idleWrites: string;
  readonly idleCpu: string;
  readonly memory: string;
  readonly reaction: string;
  readonly busyReaction: string;
  readonly restart: string;
}

/** A copy of the objects in the API server, kept by watches, so that looking costs the API server nothing. */
class Following implements AsyncDisposable {
  readonly masterKeys: Reflector<MasterKey>;
  readonly versions: Reflector<KeyVersion>;
  readonly leases: Reflector<Lease & Reflectable>;
  readonly #stop = new AbortController();
  readonly #ended: Promise<unknown>;

  constructor(client: KubeClient) {
    const reflect = <T extends Reflectable>(path: string) =>
      new Reflector<T>({ client, path, log: () => undefined, onChange: () => undefined });
    this.masterKeys = reflect(collectionPath("MasterKey"));
    this.versions = reflect(collectionPath("KeyVersion"));
    this.leases = reflect(leasesPath("claviger-system"));
    const all = [this.masterKeys, this.versions, this.leases] as const;
    this.#ended = Promise.all(all.map((one) => one.run(this.#stop.signal)));
  }

  ready(number: number): number {
    return this.masterKeys
      .objects()
      .filter(
        ({ status }) =>
          status?.currentVersion?.number === number &&
          conditionOf(status.conditions, "Ready")?.status === "True",
      ).length;
  }

  key(namespace: string, name: string): MasterKey | undefined {
    return this.masterKeys
      .objects()
      .find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }
}

class Site {
  readonly cluster: Cluster;
  readonly api: ApiClient;
  readonly following: Following;
  readonly keys: number;
  readonly patience: number;
  #rotations = 0;

  constructor(cluster: Cluster, api: ApiClient, following: Following, keys: number, patience: number) {
    this.cluster = cluster;
    this.api = api;
    this.following = following;
    this.keys = keys;
    this.patience = patience;
  }

  get node() {
    const [node] = this.cluster.nodes;
    if (node === undefined) throw new Error("there is no node");
    return node;
  }

  /** CPU seconds of the operator since its start. */
  cpu(): number {
    const stat = readFileSync(`/proc/${this.node.running("operator")?.pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  async memory() {
    return parseStatus(await readFile(`/proc/${this.node.running("operator")?.pid}/status`, "utf8"));
  }

  /** Every write to etcd, by anybody, creates a revision. */
  async revision(): Promise<number> {
    const reply = await fetch(`${this.cluster.plane.etcd.endpoint}/v3/kv/range`, {
      method: "POST",
      body: JSON.stringify({ key: Buffer.from("none").toString("base64") }),
    });
    const { header } = (await reply.json()) as { readonly header: { readonly revision: string } };
    return Number(header.revision);
  }

  nameOf(index: number): { readonly namespace: string; readonly name: string } {
    return { namespace: `bench-${index % NAMESPACES}`, name: `key-${index}` };
  }

  async createKey(index: number): Promise<void> {
    const { namespace, name } = this.nameOf(index);
    const body = {
      apiVersion: "kms.claviger.dev/v1alpha1",
      kind: "MasterKey",
      metadata: { namespace, name },
      spec: {},
    };
    await this.api.send("POST", collectionPathIn(namespace), JSON.stringify(body));
  }

  /** Waits until version `number` is current for this many keys; undefined if the patience ends before. */
  async until(number: number, count: number, begun: number): Promise<number | undefined> {
    let told = performance.now();
    for (;;) {
      const now = performance.now();
      const ready = this.following.ready(number);
      if (ready >= count) return (now - begun) / 1000;
      if ((now - begun) / 1000 > this.patience) return undefined;
      if (now - told > 15_000) {
        progress(`  ${ready} of ${count} at version ${number} after ${Math.round((now - begun) / 1000)} s`);
        told = now;
      }
      await sleep(100);
    }
  }

  /** Measures how long the requested rotation of one key takes until its new version is current. */
  async reaction(index: number): Promise<number> {
    const { namespace, name } = this.nameOf(index);
    const before = this.following.key(namespace, name)?.status?.currentVersion?.number ?? 0;
    const begun = performance.now();
    this.#rotations += 1;
    await this.cluster.kubectl([
      ...["patch", "masterkey", name, "-n", namespace, "--type=merge", "-p"],
      JSON.stringify({ spec: { rotation: { requestToken: `bench-${this.#rotations}` } } }),
    ]);
    await eventually(
      `${namespace}/${name} is rotated`,
      async () => {
        const now = this.following.key(namespace, name)?.status?.currentVersion?.number ?? 0;
        return now > before;
      },
      { deadline: this.patience * 1000, every: 20 },
    );
    return (performance.now() - begun) / 1000;
  }
}

const collectionPathIn = (namespace: string): string =>
  `/apis/kms.claviger.dev/v1alpha1/namespaces/${namespace}/masterkeys`;

async function measure(keys: number, release: string | undefined, patience: number): Promise<Measured> {
  const dir = await mkdtemp(join(tmpdir(), "clvk-"));
  removeOnExit(dir);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 10 }));
  const cluster = await startCluster({ dir, ...(release !== undefined && { release }) });
  stack.use(cluster);
  await applyKey(cluster);
  const [server] = cluster.plane.apiServers;
  if (server === undefined) throw new Error("there is no API server");
  const api = await ApiClient.create(server, CONNECTIONS);
  stack.defer(() => api.close());
  const client = new KubeClient(await server.kubeconfig());
  stack.defer(() => client.close());
  const following = stack.use(new Following(client));
  return await measureSite(new Site(cluster, api, following, keys, patience));
}

async function measureSite(site: Site): Promise<Measured> {
  const { api, keys, patience } = site;
  const namespaces = Array.from({ length: NAMESPACES }, (_, index) => index);
  for (const index of namespaces)
    await api.send("POST", "/api/v1/namespaces", JSON.stringify({ metadata: { name: `bench-${index}` } }));
  // A key that is in service while the others are created.
  await site.createKey(0);
  await site.until(1, 2, performance.now());
  const cpu = site.cpu();
  const begun = performance.now();
  const creating = api.rate(keys - 1, (index) => site.createKey(index + 1));
  await creating;
  progress(`  ${keys} MasterKeys were made in ${seconds((performance.now() - begun) / 1000)}`);
  // The provider's key takes the place of the key that is rotated meanwhile.
  const [busyReaction, ready] = await Promise.all([site.reaction(0), site.until(1, keys, begun)]);
  const done = { keys, ready: seconds(ready), busyReaction: seconds(busyReaction) };
  const readyCpu = seconds(site.cpu() - cpu);
  progress(`  all Ready: ${done.ready}, ${readyCpu} of CPU; a rotation meanwhile: ${done.busyReaction}`);
  if (ready === undefined) {
    const memory = figure((await site.memory()).rss);
    const none = { rotated: NOTHING, idleWrites: NOTHING, idleCpu: NOTHING };
    return { ...done, readyCpu, memory, reaction: NOTHING, restart: NOTHING, ...none };
  }
  const rotated = await addVersions(site);
  progress(`  ${(VERSIONS * keys).toLocaleString("en-US")} versions: ${seconds(rotated)}`);
  const settled = await settle(site, patience);
  progress(`  settled after ${seconds(settled)} more`);
  const idle = await idling(site);
  progress(`  idle: ${idle.writes} writes/s, ${idle.cpu} of a core`);
  const memory = figure((await site.memory()).rss);
  const reactions: number[] = [];
  for (let round = 1; round <= REACTIONS; round += 1) reactions.push(await site.reaction(round));
  const restart = await restarted(site);
  progress(`  reaction ${seconds(median(reactions))}, restart ${seconds(restart)}, ${memory} MB`);
  return {
    ...done,
    readyCpu,
    rotated: seconds(rotated),
    idleWrites: idle.writes,
    idleCpu: idle.cpu,
    memory,
    reaction: seconds(median(reactions)),
    restart: seconds(restart),
  };
}

/** Adds four more versions to every key, sealed here. The last of them will become current. */
async function addVersions(site: Site): Promise<number | undefined> {
  const seals = sealsIn(site.node.rootKeyPath);
  const keys = site.following.masterKeys.objects().filter(({ metadata }) => metadata.name.startsWith("key-"));
  const wanted = keys.flatMap((key) => {
    const first = (key.status?.currentVersion?.number ?? 0) + 1;
    return Array.from({ length: VERSIONS + 1 - first }, (_, index) => ({ key, number: first + index }));
  });
  const begun = performance.now();
  await site.api.rate(wanted.length, async (index) => {
    const { key, number } = wanted[index] ?? {};
    if (key?.status?.keyId === undefined || number === undefined) throw new Error("a key has no keyId");
    const { namespace = "", name } = key.metadata;
    const { keySpec, keyUsage, origin } = key.spec;
    const identity = {
      keyId: parseKeyId(key.status.keyId),
      number,
      masterKey: { namespace, name },
      ...{ keySpec, keyUsage, origin },
    };
    using material = await generateMaterial(keySpec);
    const version = await sealVersion(seals, identity, material);
    const body = {
      apiVersion: "kms.claviger.dev/v1alpha1",
      kind: "KeyVersion",
      metadata: { name: keyVersionName(version) },
      spec: toKeyVersionSpec(version),
    };
    await site.api.send("POST", collectionPath("KeyVersion"), JSON.stringify(body));
  });
  progress(`  ${wanted.length} versions were added in ${seconds((performance.now() - begun) / 1000)}`);
  return await site.until(VERSIONS, site.keys, begun);
}

/** Waits until ten consecutive seconds have fewer than one write a second, or until the patience ends. */
async function settle(site: Site, patience: number): Promise<number | undefined> {
  const begun = performance.now();
  while ((performance.now() - begun) / 1000 < patience) {
    const before = await site.revision();
    const since = performance.now();
    await sleep(10_000);
    if ((await site.revision()) - before < 10) return (since - begun) / 1000;
  }
  return undefined;
}

/** Measures the work of an idle operator. Leases, those of the API server too, are not counted. */
async function idling(site: Site): Promise<{ readonly writes: string; readonly cpu: string }> {
  const renewals = () => site.following.leases.objects().map(({ metadata }) => metadata.resourceVersion);
  let leases = 0;
  let seen = new Set(renewals());
  const counting = setInterval(() => {
    const now = renewals();
    leases += now.filter((version) => !seen.has(version)).length;
    seen = new Set(now);
  }, 100);
  const [revision, cpu] = [await site.revision(), site.cpu()];
  await sleep(IDLE_SECONDS * 1000);
  clearInterval(counting);
  const writes = (await site.revision()) - revision - leases;
  return {
    writes: (Math.max(0, writes) / IDLE_SECONDS).toFixed(2),
    cpu: `${(((site.cpu() - cpu) / IDLE_SECONDS) * 100).toFixed(1)} %`,
  };
}

/**
 * Measures the time from the start of an operator until it has reported its node and carried out a waiting
 * change.
 */
async function restarted(site: Site): Promise<number> {
  await site.node.stop("operator");
  const begun = performance.now();
  await site.node.start("operator");
  await site.reaction(REACTIONS + 1);
  return (performance.now() - begun) / 1000;
}

const seconds = (value: number | undefined): string =>
  value === undefined ? "not in time" : `${value.toFixed(value < 10 ? 1 : 0)} s`;

function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}

const COLUMNS = [
  ["MasterKeys", ({ keys }) => keys.toLocaleString("en-US")],
  ["all Ready", ({ ready }) => ready],
  ["CPU for it", ({ readyCpu }) => readyCpu],
  ["a rotation meanwhile", ({ busyReaction }) => busyReaction],
  ["4 more versions each, the last current", ({ rotated }) => rotated],
  ["idle writes/s", ({ idleWrites }) => idleWrites],
  ["idle CPU", ({ idleCpu }) => idleCpu],
  ["RSS, MB", ({ memory }) => memory],
  ["a rotation", ({ reaction }) => reaction],
  ["restart and a rotation", ({ restart }) => restart],
] as const satisfies readonly (readonly [string, (measured: Measured) => string])[];

const { values } = parseArgs({
  options: {
    keys: { type: "string", default: "500,1000,2000" },
    release: { type: "string" },
    patience: { type: "string", default: "1500" },
  },
});
const measured: Measured[] = [];
for (const keys of values.keys.split(",").map(Number)) {
  progress(`${keys} keys`);
  measured.push(await measure(keys, values.release, Number(values.patience)));
}
const rows = measured.map((one) => COLUMNS.map(([, value]) => value(one)));
const [date] = new Date().toISOString().split("T");
process.stdout.write(`${date}\n${(await describeMachine()).map((line) => `- ${line}\n`).join("")}\n`);
process.stdout.write(markdownTable({ header: COLUMNS.map(([title]) => title), rows }));
