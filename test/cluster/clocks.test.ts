import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { conditionOf } from "../../src/resources/conditions.ts";
import type { KeyServer, KeyVersion, MasterKey } from "../../src/resources/resources.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { eventually } from "../controlplane/wait.ts";
import { applyKey, type Cluster, startCluster } from "./cluster.ts";
import type { ClavigerNode } from "./node.ts";
import { SkewedServer } from "./skewed-server.ts";
import { periodIsRecorded } from "./waiting-periods.ts";

const binaries = await controlPlaneBinaries();
const NAMESPACE = "claviger-system";
const DAY_SECONDS = 86_400;
const FORTY_DAYS = 40 * DAY_SECONDS;
/** Leases are renewed every ten seconds, and a killed leader is replaced after 15. */
const PATIENCE = { deadline: 240_000 };

/** A cluster in which each machine has its own clock, for its operator and for its API server. */
class Machines {
  readonly folder: string;
  readonly servers: SkewedServer[] = [];
  cluster!: Cluster;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async start(nodes: number): Promise<Machines> {
    const machines = new Machines(await mkdtemp(join(tmpdir(), "claviger-clocks-")));
    machines.cluster = await startCluster({
      nodes,
      // The four minutes after which an API server is settled do not matter here.
      environment: { CLAVIGER_TEST_SETTLE_SECONDS: "10" },
      operatorKubeconfig: async (kubeconfig, index) => {
        const server = await SkewedServer.before(kubeconfig);
        machines.servers[index] = server;
        return server.kubeconfig;
      },
    });
    await applyKey(machines.cluster);
    for (const node of machines.cluster.nodes) await node.kill9("operator");
    for (const index of machines.cluster.nodes.keys()) await machines.startOperator(index);
    return machines;
  }

  async stop(): Promise<void> {
    await this.cluster?.stop();
    for (const server of this.servers) server.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  node(index: number): ClavigerNode {
    const node = this.cluster.nodes[index];
    if (node === undefined) throw new Error(`there is no node ${index}`);
    return node;
  }

  /** Starts an operator with the clock of its machine. The first operator leads. */
  async startOperator(index: number): Promise<void> {
    const clock = join(this.folder, `clock-${index}`);
    if (!existsSync(clock)) await writeFile(clock, "0");
    await this.node(index).start("operator", { CLAVIGER_TEST_CLOCK: clock });
    if (index === 0)
      await eventually("node-1 leads", async () => (await this.leader()) === "node-1", PATIENCE);
  }

  leader(): Promise<string> {
    const args = ["get", "lease", "-n", NAMESPACE, "claviger-operator", "-o"];
    return this.cluster.kubectl([...args, "jsonpath={.spec.holderIdentity}"]);
  }

  /** Sets this machine's clock wrong by this much, while this much time has passed for all machines. */
  async setClock(index: number, { wrong = 0, passed = 0 }): Promise<void> {
    const server = this.servers[index];
    if (server !== undefined) server.seconds = wrong;
    await writeFile(join(this.folder, `clock-${index}`), `${passed}\nwall ${wrong}\n`);
  }

  async key(name: string): Promise<MasterKey> {
    return JSON.parse(await this.cluster.kubectl(["get", "mk", "-n", NAMESPACE, name, "-o", "json"]));
  }

  async version(name: string): Promise<KeyVersion> {
    const { items } = JSON.parse(await this.cluster.kubectl(["get", "kv", "-o", "json"])) as {
      items: KeyVersion[];
    };
    const found = items.find(({ spec }) => spec.masterKey.name === name);
    if (found === undefined) throw new Error(`${name} has no KeyVersion`);
    return found;
  }

  async blocked(name: string) {
    return conditionOf((await this.key(name)).status?.conditions, "DeletionBlocked");
  }

  /** Waits until DeletionBlocked has this reason. */
  async isBlocked(name: string, reason: string, message = /./): Promise<void> {
    await eventually(
      `${name} is not destroyed: ${reason}`,
      async () => {
        const found = await this.blocked(name);
        if (found?.reason !== reason || !message.test(found.message)) throw new Error(JSON.stringify(found));
        return true;
      },
      PATIENCE,
    );
  }

  async apply(name: string, spec: object = {}): Promise<void> {
    const metadata = { namespace: NAMESPACE, name };
    const object = { apiVersion: "kms.claviger.dev/v1alpha1", kind: "MasterKey", metadata, spec };
    await this.cluster.kubectl(["apply", "-f", "-"], JSON.stringify(object));
  }

  async isReady(name: string): Promise<void> {
    await this.cluster.kubectl([
      ...["wait", "--for=condition=Ready", "--timeout=110s", "-n", NAMESPACE],
      `masterkey/${name}`,
    ]);
  }

  async isScheduled(name: string): Promise<void> {
    await eventually(
      `the deletion of ${name} is accepted`,
      async () => (await this.version(name)).status?.deletion !== undefined,
      PATIENCE,
    );
    await periodIsRecorded(this.cluster.nodes, (await this.version(name)).spec.keyId, PATIENCE);
  }

  /** Changes an object's status, as anybody with a node's kubeconfig may. */
  async forgeStatus(resource: readonly string[], status: object): Promise<void> {
    const who = ["--as=claviger-node", "--as-group=claviger:nodes"];
    const patch = ["--subresource=status", "--type=merge", "-p", JSON.stringify({ status })];
    await this.cluster.kubectl(["patch", ...resource, ...patch, ...who]);
  }

  async isDestroyedEverywhere(name: string): Promise<void> {
    await eventually(
      `${name} is destroyed on every node`,
      async () => {
        const { spec, status } = await this.version(name);
        if (status?.erasedAt !== undefined) return true;
        throw new Error(
          JSON.stringify({ destroyed: spec.destroyed, status, ready: await this.#readiness() }),
        );
      },
      PATIENCE,
    );
  }

  /** Returns the condition Ready of every node: it says whose clock is believed, and what is waited for. */
  async #readiness(): Promise<unknown[]> {
    const { items } = JSON.parse(await this.cluster.kubectl(["get", "ks", "-o", "json"])) as {
      readonly items: readonly KeyServer[];
    };
    return items.map(({ status }) => conditionOf(status?.conditions, "Ready"));
  }

  async isKept(name: string): Promise<void> {
    const { spec } = await this.version(name);
    expect(spec.destroyed).toBeUndefined();
    const sealed = Buffer.from(spec.seal?.sealed ?? "", "base64");
    for (const node of this.cluster.nodes)
      expect([node.name, holds(node, sealed)]).toEqual([node.name, true]);
  }
}

const holds = (node: ClavigerNode, bytes: Buffer): boolean =>
  ["", "-wal"]
    .map((suffix) => `${node.keyringPath}${suffix}`)
    .some((path) => existsSync(path) && readFileSync(path).includes(bytes));

const deletion = { deletion: { pendingWindowInDays: 30 } };
const daysFromNow = (days: number): string =>
  `${new Date(Date.now() + days * DAY_SECONDS * 1000).toISOString().slice(0, 19)}Z`;

describe.skipIf(binaries === undefined)("a waiting period in a cluster of two nodes", () => {
  let machines: Machines;
  beforeAll(async () => {
    machines = await Machines.start(2);
    for (const name of ["forged", "orphan", "early", "late"]) await machines.apply(name);
    for (const name of ["forged", "orphan", "early", "late"]) await machines.isReady(name);
    for (const name of ["forged", "early"]) await machines.apply(name, deletion);
    for (const name of ["forged", "early"]) await machines.isScheduled(name);
  });
  afterAll(() => machines?.stop());

  it("with dates in the status that a node's identity has set to the past => is waited for, and the dates are put right", async () => {
    const past = { scheduledAt: daysFromNow(-32), deletionDate: daysFromNow(-2) };
    const { metadata } = await machines.version("forged");
    await machines.forgeStatus(["mk", "-n", NAMESPACE, "forged"], { deletion: past });
    await machines.forgeStatus(["kv", metadata.name], { deletion: past });
    await eventually("the status has the date that the nodes have recorded", async () => {
      const { status } = await machines.key("forged");
      const { status: version } = await machines.version("forged");
      const dates = [status?.deletion?.deletionDate, version?.deletion?.deletionDate];
      return dates.every((date) => Date.parse(date ?? "") > Date.parse(daysFromNow(29)));
    });
    await machines.isKept("forged");
  });

  it("of a key whose MasterKey is gone and never asked for it => nothing is destroyed", async () => {
    const { metadata } = await machines.version("orphan");
    await machines.cluster.kubectl(["delete", "mk", "-n", NAMESPACE, "orphan", "--timeout=110s"]);
    const past = { scheduledAt: daysFromNow(-32), deletionDate: daysFromNow(-2), withoutCensus: true };
    await machines.forgeStatus(["kv", metadata.name], { deletion: past });
    await eventually("the leader says why", async () =>
      /this node has not seen MasterKey claviger-system\/orphan ask for it/.test(
        await machines.node(0).log("operator"),
      ),
    );
    await machines.isKept("orphan");
  });

  it("while the leader's machine is 40 days ahead, its API server too => nothing is destroyed or accepted, and the clocks are named", async () => {
    await machines.setClock(0, { wrong: FORTY_DAYS });
    const named = /this node's clock differs from node node-2's by 40 days \(it is behind\)/;
    await machines.isBlocked("early", "ClocksDisagree", named);
    await machines.apply("late", deletion);
    await machines.isBlocked("late", "ClocksDisagree", named);
    expect((await machines.key("late")).status).toMatchObject({ keyState: "Enabled" });
    await eventually(
      "both nodes say so",
      async () => {
        const { items } = JSON.parse(await machines.cluster.kubectl(["get", "ks", "-o", "json"])) as {
          items: KeyServer[];
        };
        return items.every(
          ({ status }) => conditionOf(status?.conditions, "Ready")?.reason === "ClocksDisagree",
        );
      },
      PATIENCE,
    );
    await machines.isKept("early");
  });

  it("with a tombstone that a machine with such a clock made => the other node keeps the material until its own record ends", async () => {
    await machines.setClock(0, {});
    await machines.isBlocked("early", "Scheduled");
    await machines.isScheduled("late");
    // Only the leader sees the time pass: its API server, and everything that it hears, seem to agree.
    await machines.setClock(0, { passed: FORTY_DAYS });
    await eventually(
      "the leader has destroyed it",
      async () => {
        return (await machines.version("early")).spec.destroyed !== undefined;
      },
      PATIENCE,
    );
    await eventually(
      "the other node keeps it and says why",
      async () => {
        const ks = JSON.parse(
          await machines.cluster.kubectl(["get", "ks", "node-2", "-o", "json"]),
        ) as KeyServer;
        const ready = conditionOf(ks.status?.conditions, "Ready");
        return ready?.reason === "ClocksDisagree" && /its material is kept on this node/.test(ready.message);
      },
      PATIENCE,
    );
  });

  it("that has passed on every machine => ends: all is destroyed everywhere", async () => {
    await machines.setClock(1, { passed: FORTY_DAYS });
    for (const name of ["early", "forged", "late"]) await machines.isDestroyedEverywhere(name);
    expect((await machines.version("orphan")).spec.seal).toBeDefined();
  });
});

describe.skipIf(binaries === undefined)("a waiting period on the only node", () => {
  let machines: Machines;
  beforeAll(async () => {
    machines = await Machines.start(1);
    await machines.apply("old");
    await machines.isReady("old");
    await machines.apply("old", deletion);
    await machines.isScheduled("old");
  });
  afterAll(() => machines?.stop());

  it("the machine's clock is set 40 days forward, the API server's with it => nothing is destroyed", async () => {
    await machines.setClock(0, { wrong: FORTY_DAYS });
    await machines.isBlocked("old", "ClocksDisagree", /was set forward by 40 days while its operator ran/);
  });

  it("the operator starts again with that clock => it has not seen the time pass, and says how to confirm that it has", async () => {
    await machines.node(0).kill9("operator");
    await machines.startOperator(0);
    await machines.isBlocked(
      "old",
      "TimeNotSeen",
      /has yet to see 30 days .* spec\.deletion\.confirmedDueAt/,
    );
    await machines.isKept("old");
  });

  it("an administrator confirms that the date is past => destroyed", async () => {
    const { status } = await machines.key("old");
    const confirmedDueAt = status?.deletion?.deletionDate;
    await machines.apply("old", { deletion: { ...deletion.deletion, confirmedDueAt } });
    await machines.isDestroyedEverywhere("old");
  });

  it("a month passes while the operator runs => destroyed without a word of anybody", async () => {
    await machines.setClock(0, {});
    const name = `other-${randomUUID().slice(0, 8)}`;
    await machines.node(0).kill9("operator");
    await machines.startOperator(0);
    await machines.apply(name);
    await machines.isReady(name);
    await machines.apply(name, deletion);
    await machines.isScheduled(name);
    await machines.setClock(0, { passed: FORTY_DAYS });
    await machines.isDestroyedEverywhere(name);
  });
});
