import { createHash } from "node:crypto";
import { rename, writeFile } from "node:fs/promises";
import { expect } from "vitest";
import { conditionOf } from "../../src/resources/conditions.ts";
import type { KeyServer, MasterKey } from "../../src/resources/resources.ts";
import { eventually } from "../controlplane/wait.ts";
import type { Cluster } from "./cluster.ts";
import { encryptionAt, type Others, startMatrixCluster, startOthers } from "./matrix-cluster.ts";
import { Ledger } from "./matrix-ledger.ts";
import {
  type Chains,
  chainsAfter,
  resourcesOf,
  type Scenario,
  type Sockets,
  standingOf,
} from "./matrix-scenarios.ts";
import { Door, MatrixTraffic } from "./matrix-traffic.ts";
import { claimOf, covers, MatrixWatcher } from "./matrix-watcher.ts";
import { Probes } from "./traffic.ts";

const SEEDS = 3;

/** How an API server loads an edited file: it is restarted, or reloads the file by itself within a minute. */
export type TakeUp = "restart" | "reload";

/**
 * Runs many scenarios in one control plane, in step: in each phase every scenario's next edit is made, and
 * the API servers of the edited nodes are restarted, or reload their files, one after another. Each scenario
 * has its own MasterKey, resource, and socket on every node, so that the others are traffic for it.
 */
export class MatrixRun implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly ledger = new Ledger();
  readonly doors: readonly Door[];
  readonly traffic: MatrixTraffic;
  readonly watcher: MatrixWatcher;
  readonly #scenarios: readonly Scenario[];
  readonly #others: Others;
  readonly #probes: Probes;
  readonly #takeUp: TakeUp;
  /** The number of phases that each node has finished. */
  readonly #phases: number[];
  /** The node whose API server may, or may not, have loaded the file of another phase. */
  #reloading: { readonly index: number; readonly phase: number } | undefined;

  private constructor(cluster: Cluster, scenarios: readonly Scenario[], others: Others, takeUp: TakeUp) {
    this.cluster = cluster;
    this.#takeUp = takeUp;
    this.#scenarios = scenarios;
    this.#others = others;
    this.doors = cluster.plane.apiServers.map((server) => new Door(server));
    this.#phases = this.doors.map(() => 0);
    this.#probes = new Probes(cluster.plane.apiServers);
    const chains = (scenario: Scenario) => this.#possibleChains(scenario);
    const site = { doors: this.doors, scenarios, chains, ledger: this.ledger };
    this.traffic = new MatrixTraffic(site);
    this.watcher = new MatrixWatcher({ ...site, etcd: cluster.plane.etcd });
  }

  /**
   * Starts a cluster in which every scenario is as before its first edit, with objects, clients and the
   * watcher.
   */
  static async start(
    scenarios: readonly Scenario[],
    nodes: number,
    takeUp: TakeUp = "restart",
  ): Promise<MatrixRun> {
    const others = await startOthers();
    let stop = () => others.stop();
    try {
      const cluster = await startMatrixCluster(scenarios, nodes, others);
      const run = new MatrixRun(cluster, scenarios, others, takeUp);
      stop = () => run[Symbol.asyncDispose]();
      await run.#populate();
      return run;
    } catch (error) {
      await stop();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.watcher.stop();
    await this.traffic.stop();
    await this.#probes.stop();
    await this.cluster.stop();
    await this.#others.stop();
  }

  /** Makes all edits of all scenarios, and waits after each phase for the status that must follow. */
  async allPhases(deadline?: number): Promise<void> {
    const last = Math.max(...this.#scenarios.map(({ edits }) => edits.length));
    await this.standing(deadline);
    for (let phase = 1; phase <= last; phase += 1) {
      for (const [index] of this.doors.entries()) await this.#edit(index, phase);
      await this.standing(deadline);
    }
  }

  /**
   * Restarts an API server while no client uses it. Does `whileDown` while it is down, and `beforeClients`
   * before clients come back.
   */
  async restart(index: number, whileDown: Work, beforeClients: Work = async () => {}): Promise<void> {
    const door = this.doors[index];
    await door?.outage(async () => {
      await door.server.stop();
      await whileDown();
      await door.server.start();
      await door.server.ready("/livez");
      await beforeClients();
      await door.server.ready();
      await this.#serves(door);
    });
  }

  /** Waits until every scenario's status matches the nodes' chains, and was compared with etcd. */
  async standing(deadline = 300_000): Promise<void> {
    await Promise.all(this.#scenarios.map((scenario) => this.#standing(scenario, deadline)));
    await this.watcher.looked();
  }

  /** Fails if something was never checked. */
  expectLooked(): void {
    expect(this.ledger.problemsOf("watcher")).toEqual([]);
    for (const [index] of this.doors.entries()) {
      for (const what of ["read", "write"])
        expect(this.ledger.checks(`${what} through API server ${index + 1}`), what).toBeGreaterThan(100);
    }
    for (const scenario of this.#scenarios) {
      if (standingOf(scenario, this.#chains(scenario)) === "complete")
        expect(this.ledger.checks(`claim of ${scenario.name}`), scenario.name).toBeGreaterThan(0);
    }
  }

  async keyServers(): Promise<readonly KeyServer[]> {
    return JSON.parse(await this.cluster.kubectl(["get", "ks", "-o", "json"])).items;
  }

  async #standing(scenario: Scenario, deadline: number): Promise<void> {
    const chains = this.#chains(scenario);
    const standing = standingOf(scenario, chains);
    const phase = Math.max(...this.#phases);
    const what = `phase ${phase}: ${scenario.name} is ${standing} with ${JSON.stringify(chains)}`;
    const holds = async () => {
      const key = (await this.watcher.masterKeys()).get(scenario.name);
      if (isSaid(key, scenario, chains)) return true;
      throw new Error(
        JSON.stringify([key?.status?.reencryption, conditionOf(key?.status?.conditions, "Reencrypted")]),
      );
    };
    try {
      await eventually(what, holds, { deadline, every: 500 });
      this.ledger.checked(`standing of ${scenario.name}`);
    } catch (error) {
      this.ledger.note(scenario.name, `phase ${phase}`, String(error));
    }
  }

  #chains(scenario: Scenario, phases: readonly number[] = this.#phases): Chains {
    return phases.map((phase, index) => chainsAfter(scenario, phase, this.doors.length)[index] ?? []);
  }

  #possibleChains(scenario: Scenario): readonly Chains[] {
    const now = this.#chains(scenario);
    if (this.#reloading === undefined) return [now];
    const { index, phase } = this.#reloading;
    return [now, this.#chains(scenario, this.#phases.with(index, phase))];
  }

  async #edit(index: number, phase: number): Promise<void> {
    const edited = this.#scenarios.some(({ edits }) => edits[phase - 1]?.node === index + 1);
    if (!edited) {
      this.#phases[index] = phase;
      return;
    }
    await this.ledger.disturbance(async () => {
      const node = this.cluster.nodes[index];
      if (node === undefined) throw new Error(`there is no node ${index + 1}`);
      const text = this.#encryptionAt(index, phase, (provider) => node.socket(provider));
      const path = node.encryptionConfigPath;
      if (this.#takeUp === "reload") return this.#reload({ index, phase, path, text });
      await writeFile(path, text);
      await this.restart(index, async () => {
        this.#phases[index] = phase;
      });
    });
  }

  /**
   * Replaces the file, and waits until the API server, which clients continue to use, reports that it has
   * loaded it.
   */
  async #reload({ index, phase, path, text }: ReloadedEdit): Promise<void> {
    const server = this.doors[index]?.server;
    const before = server?.pid;
    const hash = `sha256:${createHash("sha256").update(text).digest("hex")}`;
    this.#reloading = { index, phase };
    // In one step, because the API server may read the file at any moment.
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
    const what = `API server ${index + 1} has loaded the file of phase ${phase}`;
    await eventually(
      what,
      async () => {
        const { body } = (await server?.request("GET", LOADED_FILE)) ?? {};
        return String(body).includes(`hash="${hash}"`);
      },
      { every: 500, deadline: 300_000 },
    );
    expect(server?.pid, "the API server is the same process").toBe(before);
    this.#phases[index] = phase;
    this.#reloading = undefined;
    this.ledger.checked(`reload by API server ${index + 1}`);
  }

  #encryptionAt(index: number, phase: number, socket: Sockets["claviger"]): string {
    return encryptionAt(
      this.#scenarios,
      { index, phase, nodes: this.doors.length },
      this.#others.sockets(socket),
    );
  }

  /** A ready API server may not know custom resources and rights yet. */
  async #serves({ server }: Door): Promise<void> {
    for (const { path } of this.#scenarios.flatMap(resourcesOf)) {
      await eventually(`${server.url} knows ${path}`, async () => {
        const { status } = await server.request("GET", `${path}?limit=1`);
        return ![403, 404, 429, 503].includes(status);
      });
    }
  }

  async #populate(): Promise<void> {
    await Promise.all(this.doors.map((door) => this.#serves(door)));
    await this.traffic.seed(SEEDS);
    this.traffic.start();
    this.watcher.start();
  }
}

type Work = () => Promise<void>;

interface ReloadedEdit {
  readonly index: number;
  readonly phase: number;
  /** The path of the EncryptionConfiguration. */
  readonly path: string;
  readonly text: string;
}

/** The series with the hash of the file that the API server uses. */
const LOADED_FILE = "/metrics?name[]=apiserver_encryption_config_controller_last_config_info";

/** Returns true if a MasterKey's status is the status that the nodes' chains require. */
function isSaid(key: MasterKey | undefined, scenario: Scenario, chains: Chains): boolean {
  const claim = claimOf(key);
  switch (standingOf(scenario, chains)) {
    case "complete": {
      const wanted = resourcesOf(scenario).filter(
        (resource) => resource === scenario.beside || chains.every(([first]) => first === "claviger"),
      );
      const { phase, verified } = key?.status?.reencryption ?? {};
      return (
        phase === "Complete" &&
        verified === true &&
        wanted.every(({ pattern }) => covers(claim?.scope ?? [], pattern))
      );
    }
    case "differs":
      return claim === undefined && namesDifference(key, chains);
    case "nothing":
      return claim === undefined;
  }
}

/** Returns true if the status reports a difference and names the nodes that somebody has to fix. */
function namesDifference(key: MasterKey | undefined, chains: Chains): boolean {
  const condition = conditionOf(key?.status?.conditions, "Reencrypted");
  const others = chains.flatMap(([first], index) => (first === "claviger" ? [] : [`node-${index + 1}`]));
  return condition?.reason === "NodesDiffer" && others.every((node) => condition.message.includes(node));
}
