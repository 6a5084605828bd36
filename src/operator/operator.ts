import { nodeLog } from "../audit/log/node-log.ts";
import type { AuditTrail } from "../audit/trail.ts";
import type { Clock } from "../clock.ts";
import type { NodeConfig } from "../config/config.ts";
import { messageOf } from "../errors.ts";
import { KeyringWriter } from "../keyring/writer.ts";
import { type Log, logStop } from "../log.ts";
import { serveMetrics } from "../metrics/metrics-server.ts";
import type { ObjectName } from "../names.ts";
import { openSeals } from "../seal/open-seals.ts";
import type { ResourceStore } from "../store/resource-store.ts";
import type { Change } from "../store/view.ts";
import { TIMING, type Timing } from "../timing.ts";
import { LeaderAudit } from "./audit/leader-audit.ts";
import { clientCertificates } from "./client-certificates.ts";
import { GrantsLoop } from "./grants/grants-loop.ts";
import { LeaderLoop } from "./leader-loop.ts";
import { loadOperatorMetrics, type OperatorGauges } from "./metrics.ts";
import { ApiServerWatch, thisMachine } from "./node/api-server-watch.ts";
import { NodeLoop } from "./node/node-loop.ts";
import { makeFirstRootKey, openStore } from "./opening.ts";
import { Reencryptor } from "./reencryption/reencryptor.ts";
import { UsageCensus } from "./retirement/usage-census.ts";
import { TimeKeeper } from "./time/time-keeper.ts";
import { masterKeyWork, type WorkItem, workKey, workNamespace } from "./work-item.ts";
import { WorkQueue } from "./work-queue.ts";

/** The one item of the node's queue. */
const NODE = "node";
/** How often to look for the plugin's observations. */
const OBSERVE_MILLISECONDS = 500;
/** How often to check if a plugin answers. */
const SOCKET_MILLISECONDS = 5_000;
/** How often to check if a clock has stepped, and how often the API server is asked for its time. */
const TICK_MILLISECONDS = 1_000;
const ASK_MILLISECONDS = 10_000;
/** How soon a node that reported a problem checks again if it was fixed; the pause grows each time. */
const MEND_MILLISECONDS = { least: 2_000, most: 15_000 };
/**
 * After a pass over the whole node it rests for twice the time of the pass, for the leader and others, so
 * that the events of a thousand changes cause only some tens of passes. A single change waits a second at
 * most.
 */
const restOfNode = (milliseconds: number): number => Math.min(1_000, 2 * milliseconds);

/**
 * Runs the operator of one node: updates the keyring, and decides for all when it leads. Runs until aborted.
 * Throws if it cannot start: InUse, KeyringCorrupt, KeyringUnavailable, SealUnavailable.
 */
export async function runOperator(
  config: NodeConfig,
  log: Log,
  signal: AbortSignal,
  timing: Timing = TIMING,
): Promise<void> {
  // Only this user may read what the operator writes.
  process.umask(0o077);
  const stopped = logStop(log, "operator", signal);
  makeFirstRootKey(config, log);
  const keyring = KeyringWriter.open(config.stateDir);
  try {
    const store = await openStore(config, keyring, timing.clock, log);
    const trail = nodeLog(config, log);
    const operator = new Operator({ config, keyring, store, log, timing, trail });
    const metrics = await startMetrics(config, operator, log);
    try {
      await operator.run(signal);
    } finally {
      await metrics?.close();
      await trail?.close();
    }
  } finally {
    keyring.close();
    stopped();
  }
}

async function startMetrics({ metrics }: NodeConfig, operator: Operator, log: Log) {
  if (metrics.operator === undefined) return undefined;
  const render = await loadOperatorMetrics(operator.gauges());
  return serveMetrics(metrics.operator, render, (error) => {
    if (error !== undefined) log("error", messageOf(error));
  });
}

function watchOfApiServer(
  { nodeName }: NodeConfig,
  store: ResourceStore,
  uptime: () => number,
): ApiServerWatch | undefined {
  if (store.askApiServer === undefined) return undefined;
  const ask = (signal: AbortSignal) =>
    store.askApiServer?.(signal) ?? Promise.reject(new Error("there is none"));
  return new ApiServerWatch({ ask, machine: thisMachine(nodeName), uptime });
}

interface OperatorOptions {
  readonly config: NodeConfig;
  readonly keyring: KeyringWriter;
  readonly store: ResourceStore;
  readonly log: Log;
  readonly timing: Timing;
  readonly trail: AuditTrail | undefined;
}

class Operator {
  readonly #config: NodeConfig;
  readonly #keyring: KeyringWriter;
  readonly #log: Log;
  readonly #store: ResourceStore;
  readonly #node: NodeLoop;
  readonly #leader: LeaderLoop;
  readonly #grants: GrantsLoop;
  readonly #nodeQueue: WorkQueue<typeof NODE>;
  readonly #leaderQueue: WorkQueue<WorkItem>;
  readonly #clock: Clock;
  readonly #time: TimeKeeper;
  #signal: AbortSignal = AbortSignal.abort();
  /** Passes in a row in which the node reported a problem. */
  #unwell = 0;

  constructor({
    config,
    keyring,
    store,
    log,
    trail,
    timing: { clock, settleMilliseconds },
  }: OperatorOptions) {
    this.#config = config;
    this.#keyring = keyring;
    this.#store = store;
    this.#log = log;
    const seals = openSeals(config, () => keyring.holdsAnySealed());
    this.#clock = clock;
    const time = new TimeKeeper({ clock, store, keyring, log, onChange: () => this.#lookAtAll() });
    this.#time = time;
    const uptime = () => clock.uptime();
    const apiServer = watchOfApiServer(config, store, uptime);
    this.#node = new NodeLoop({
      ...{ config, store, keyring, seals, time, log, apiServer, uptime, settleMilliseconds },
    });
    const lookAgain = (masterKey: ObjectName) => this.#leaderQueue.add(masterKeyWork(masterKey));
    const reencryptor = new Reencryptor({
      objects: store.storedObjects,
      mayGoOn: () => store.leading,
      onChange: lookAgain,
      now: () => performance.now(),
    });
    const usageCensus = new UsageCensus({
      take: (signal) => store.storedObjects.countAll(signal),
      onChange: () => this.#leadAll(),
      now: () => performance.now(),
    });
    const audit = trail && new LeaderAudit(trail, config, () => clock.wall());
    this.#leader = new LeaderLoop({
      audit,
      ...{ config, store, keyring, seals, log, clock, time, reencryptor, usageCensus, lookAgain },
    });
    this.#grants = new GrantsLoop({ config, store, keyring, seals, clock, log });
    this.#nodeQueue = new WorkQueue(() => this.#reconcileNode(), log, {
      keyOf: (item) => item,
      restAfter: restOfNode,
    });
    this.#leaderQueue = new WorkQueue((work) => this.#lead(work), log, {
      keyOf: workKey,
      namespaceOf: workNamespace,
      laneOf: (work) => (this.#leader.isPrompt(work) ? "prompt" : "bulk"),
    });
  }

  gauges(): OperatorGauges {
    return {
      leading: () => this.#store.leading,
      view: () => this.#store.view(),
      failures: () =>
        this.#nodeQueue.failureCount + this.#leaderQueue.failureCount + this.#grants.failureCount,
      conflicts: () => this.#nodeQueue.conflictCount + this.#leaderQueue.conflictCount,
      waiting: () => this.#leaderQueue.length,
      certificates: () => clientCertificates(this.#config),
    };
  }

  async run(stop: AbortSignal): Promise<void> {
    const lost = new AbortController();
    const signal = AbortSignal.any([stop, lost.signal]);
    this.#signal = signal;
    const observing = this.#followKeyring((reason) => lost.abort(reason));
    const watching = this.#watchSockets();
    const asking = this.#watchApiServer(signal);
    const timing = this.#watchTime(signal);
    this.#nodeQueue.add(NODE);
    try {
      await Promise.all([
        this.#store.run(signal, {
          onChange: (change) => this.#changed(change),
          onBegin: () => this.#begin(),
        }),
        this.#nodeQueue.run(signal),
        this.#leaderQueue.run(signal),
        this.#grants.run(signal),
      ]);
    } finally {
      clearInterval(observing);
      clearInterval(watching);
      clearInterval(asking);
      for (const timer of timing) clearInterval(timer);
      this.#time.close();
      this.#leader.close();
    }
    if (lost.signal.aborted) throw lost.signal.reason;
  }

  #changed(change: Change): void {
    if (change.kind === "KeyGrant") this.#grants.changed(change);
    else this.#nodeQueue.add(NODE);
    for (const work of this.#leader.workFor(change)) this.#leaderQueue.add(work);
  }

  #begin(): void {
    this.#leader.begin();
    this.#grants.begin();
    this.#lookAtAll();
  }

  #lookAtAll(): void {
    this.#nodeQueue.add(NODE);
    this.#leadAll();
  }

  #leadAll(): void {
    for (const work of this.#leader.allWork()) this.#leaderQueue.add(work, "bulk");
  }

  async #reconcileNode(): Promise<void> {
    const well = await this.#node.reconcile(new Date(this.#clock.wall()), this.#signal);
    const { least, most } = MEND_MILLISECONDS;
    if (!well) this.#nodeQueue.addAfter(NODE, Math.min(most, least * 2 ** this.#unwell));
    this.#unwell = well ? 0 : this.#unwell + 1;
  }

  async #lead(work: WorkItem): Promise<void> {
    if (!this.#store.leading) return;
    const again = await this.#leader.reconcile(work, this.#signal);
    if (again !== undefined) this.#leaderQueue.addAfter(work, again);
  }

  #watchSockets(): NodeJS.Timeout {
    return setInterval(async () => {
      if (await this.#node.lookAtSockets()) this.#nodeQueue.add(NODE);
    }, SOCKET_MILLISECONDS);
  }

  #watchApiServer(signal: AbortSignal): NodeJS.Timeout {
    const look = async () => {
      if (await this.#node.lookAtApiServer(signal)) this.#nodeQueue.add(NODE);
    };
    void look();
    return setInterval(look, TICK_MILLISECONDS);
  }

  /**
   * An API server that does not answer with its time does not answer anything else either, and that is
   * reported elsewhere.
   */
  #watchTime(signal: AbortSignal): readonly NodeJS.Timeout[] {
    const ask = () => void this.#time.ask(signal).catch(() => undefined);
    ask();
    return [setInterval(() => this.#time.tick(), TICK_MILLISECONDS), setInterval(ask, ASK_MILLISECONDS)];
  }

  /**
   * Looks for observations and edited files, and checks that the keyring is still at its path. Only a new
   * start can open another file there, so the operator then ends. Standalone, if the file is missing, it
   * waits: a new start would begin another keyring, with other keys.
   */
  #followKeyring(end: (reason: unknown) => void): NodeJS.Timeout {
    const waits = this.#config.resources.kind === "manifests";
    let seen: string | undefined = this.#keyring.observationsStamp();
    return setInterval(() => {
      try {
        const { place, displaced } = this.#keyring;
        if (place === "another" || (place === "none" && !waits)) return end(displaced);
        const now = place === "ours" ? this.#keyring.observationsStamp() : undefined;
        if (now !== seen || this.#node.filesChanged()) this.#nodeQueue.add(NODE);
        seen = now;
      } catch (error) {
        this.#log("warn", `the keyring cannot be watched: ${String(error)}`);
      }
    }, OBSERVE_MILLISECONDS);
  }
}
