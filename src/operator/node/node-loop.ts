import type { NodeConfig } from "../../config/config.ts";
import { codeOf, messageOf } from "../../errors.ts";
import type { VersionRow } from "../../keyring/rows.ts";
import type { KeyringWriter } from "../../keyring/writer.ts";
import { type Problem, VersionTester } from "../../keys/version-tester.ts";
import { isUnanswered } from "../../kube/unanswered.ts";
import type { Log } from "../../log.ts";
import { conditionOf } from "../../resources/conditions.ts";
import type { KeyServer } from "../../resources/resources.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import { NODE_NAME_SHARED } from "../../store/nodes/name-watch.ts";
import type { ClusterNodes, OwnReport } from "../../store/roles.ts";
import type { View } from "../../store/view.ts";
import { OwnIndex } from "../claims/own-index.ts";
import { soundView } from "../claims/sound-view.ts";
import type { TimeKeeper } from "../time/time-keeper.ts";
import { TimeSlice } from "../time/time-slice.ts";
import { ApiServerReporter } from "./api-server-report.ts";
import type { ApiServerWatch } from "./api-server-watch.ts";
import { erasedHere } from "./decide-erasure.ts";
import { DetailsFollower } from "./details/details-follower.ts";
import type { EraserTime } from "./eraser.ts";
import { type FollowerStore, isOfKeyring, KeyringFollower } from "./keyring/keyring-follower.ts";
import { decideKeyServerStatus } from "./report/decide-key-server.ts";
import { MOST_LISTED } from "./report/listed-versions.ts";
import { NodeReporter } from "./report/node-reporter.ts";
import type { ObservedNode } from "./report/observed-node.ts";
import { SocketWatch } from "./socket-watch.ts";
import { VersionChecks } from "./version-checks.ts";

type NodeLoopConfig = Pick<NodeConfig, "nodeName" | "providers" | "encryptionConfig">;
type NodeLoopStore = FollowerStore & OwnReport & ClusterNodes;

/**
 * How long a report may stand without a pass that renews it: meanwhile the Lease says that the report is
 * true.
 */
const LASTING_MILLISECONDS = 60_000;

/** A node's knowledge of time. */
export type NodeTime = EraserTime & Pick<TimeKeeper, "doubt">;

export interface NodeLoopOptions {
  readonly config: NodeLoopConfig;
  readonly store: NodeLoopStore;
  readonly keyring: KeyringWriter;
  readonly seals: SealSource;
  readonly time: NodeTime;
  readonly log: Log;
  /** Left out if there is no API server to ask. */
  readonly apiServer?: ApiServerWatch | undefined;
  /** Returns milliseconds by a clock that never steps. */
  readonly uptime?: () => number;
  /** SETTLE_MILLISECONDS if left out. */
  readonly settleMilliseconds?: number | undefined;
}

/** The inputs of one pass. */
interface Pass {
  readonly view: View;
  readonly own: KeyServer | undefined;
  /** The problems that the pass has found so far. */
  readonly problems: Problem[];
  readonly slice: TimeSlice;
  readonly now: Date;
  readonly signal: AbortSignal;
}

/**
 * Updates this node's keyring to the resources and reports its versions. Every node's operator runs one,
 * leader or not.
 */
export class NodeLoop {
  readonly #config: NodeLoopConfig;
  readonly #store: NodeLoopStore;
  readonly #keyring: KeyringWriter;
  readonly #seals: SealSource;
  readonly #time: NodeTime;
  readonly #uptime: () => number;
  readonly #checks: VersionChecks;
  readonly #sockets: SocketWatch;
  readonly #apiServer: ApiServerReporter;
  readonly #reporter: NodeReporter;
  readonly #follower: KeyringFollower;
  readonly #details: DetailsFollower;
  readonly #index: OwnIndex;
  /** Since when no pass has finished, by the clock of `uptime`; undefined if the last pass did. */
  #failingSince: number | undefined;

  constructor(options: NodeLoopOptions) {
    const { config, store, keyring, seals, time, uptime = () => performance.now() } = options;
    this.#config = config;
    this.#store = store;
    this.#keyring = keyring;
    this.#seals = seals;
    this.#time = time;
    this.#uptime = uptime;
    const tester = new VersionTester(seals);
    this.#checks = new VersionChecks(tester);
    this.#sockets = new SocketWatch(config.providers);
    this.#apiServer = new ApiServerReporter({ ...options, uptime });
    this.#reporter = new NodeReporter({ ...options, nodeName: config.nodeName });
    this.#index = new OwnIndex(keyring);
    this.#follower = new KeyringFollower({ ...options, tester, checks: this.#checks });
    this.#details = new DetailsFollower(keyring);
  }

  /**
   * Makes one pass: register, store, hand back, report. A node creates its KeyServer before it stores its
   * first version, so that no promotion misses it. Returns true if all is well; otherwise a later pass may
   * find the problem fixed.
   */
  async reconcile(now: Date, signal: AbortSignal): Promise<boolean> {
    await this.#apiServer.first;
    const given = this.#store.view();
    if (given === undefined) return false;
    const { view, problems } = soundView(given);
    const own = view.keyServers.find((server) => server.metadata.name === this.#config.nodeName);
    await this.#reporter.register(own !== undefined, now);
    try {
      const well = await this.#pass({
        ...{ view, own, problems: [...problems], slice: new TimeSlice(), now, signal },
      });
      this.#failingSince = undefined;
      return well;
    } catch (error) {
      if (!signal.aborted && !this.#mayPass(error))
        await this.#reporter.reportFailure(failureOf(error), own?.status, now);
      throw error;
    }
  }

  /**
   * Returns true, once, if there is something to report that is no resource: the EncryptionConfiguration or
   * the root key was edited. A pass that fails is retried after a pause.
   */
  filesChanged(): boolean {
    const edited = this.#apiServer.fileChanged();
    return this.#seals.changed() || edited;
  }

  /**
   * Asks the API server which file it uses, if it is time. Returns true if there is something new to report.
   * Never rejects.
   */
  lookAtApiServer(signal: AbortSignal): Promise<boolean> {
    return this.#apiServer.look(signal);
  }

  /**
   * Checks if a plugin answers on each socket. Returns true if there is something new to report. Never
   * rejects.
   */
  lookAtSockets(): Promise<boolean> {
    return this.#sockets.look();
  }

  /** Nobody answered, or another client wrote first: neither is a fault of this node, unless it lasts. */
  #mayPass(error: unknown): boolean {
    this.#failingSince ??= this.#uptime();
    const lasts = this.#uptime() - this.#failingSince >= LASTING_MILLISECONDS;
    return !lasts && (isUnanswered(error) || codeOf(error) === "Conflict");
  }

  async #pass(pass: Pass): Promise<boolean> {
    const { own, slice, now } = pass;
    const contradictions = await this.#follower.follow(pass.view, pass.problems, slice);
    await this.#details.follow(pass.view, pass.problems, slice);
    const versions = this.#keyring.versions();
    await slice.pause();
    const observed = await this.#observe(pass, versions, contradictions);
    const status = decideKeyServerStatus(observed, now);
    this.#keyring.mustBeInPlace();
    // Otherwise two operators would endlessly correct each other's reports.
    if (this.#store.nameIsShared && saysShared(own?.status)) return false;
    await this.#reporter.report(status, own?.status);
    // A version that waits for its turn in the list gets it by time alone.
    const { prepared, erased = [] } = observed;
    const allListed = prepared.length <= MOST_LISTED && erased.length <= MOST_LISTED;
    return allListed && conditionOf(status.conditions, "Ready")?.status === "True";
  }

  /** Gathers what this node reports. The order of the problems counts: the first is shown. */
  async #observe(
    { view, own, problems, slice, now, signal }: Pass,
    versions: readonly VersionRow[],
    contradictions: readonly string[],
  ): Promise<ObservedNode> {
    // As the plugin and the leader judge it: a clock that may be wrong does not expire anything.
    const expiryNow = (this.#time.doubt?.at ?? now).getTime();
    const index = this.#index.of(view);
    const openable = await this.#checks.preparable(index, versions, problems, expiryNow, slice);
    // Versions that open under a root key that only this process still has would be lost at its end.
    const prepared = this.#hasRootKey(problems) ? openable : [];
    const { held: seal } = this.#seals;
    const { time } = this.#time.waiting;
    if (time.kind === "disagree") problems.push({ reason: time.reason, message: time.message });
    for (const message of contradictions) problems.push({ reason: "Contradiction", message });
    const report = this.#apiServer.report(this.#keyring.observations(), own?.status, problems);
    this.#addStoreFaults(problems);
    return {
      before: own?.status,
      // Read each time, because the Node may have been deleted and created again.
      nodeUid: await this.#nodeUid(own?.status, problems, signal),
      persistedResourceVersion: view.keyVersionsUpTo,
      versions,
      prepared,
      erased: erasedHere(this.#keyring.tombstones(), view.keyVersions),
      problems,
      seal: seal && { provider: seal.provider, rootKeyId: seal.rootKeyId },
      providers: report.providers,
      observations: report.observations,
      silent: this.#sockets.silent,
      ...(report.state !== undefined && { apiServer: report.state }),
    };
  }

  #addStoreFaults(problems: Problem[]): void {
    const { nameIsShared, leaseFault } = this.#store;
    if (nameIsShared) problems.unshift(nameShared(this.#config.nodeName));
    if (leaseFault !== undefined) problems.push({ reason: "LeaseRefused", message: leaseFault });
  }

  /**
   * If the API server does not allow reading the Node, the known uid is kept, and everything else is
   * reported.
   */
  async #nodeUid(
    before: KeyServerStatus | undefined,
    problems: Problem[],
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { nodeName } = this.#config;
    try {
      return await this.#store.nodeUid(nodeName, signal);
    } catch (error) {
      if (isUnanswered(error)) throw error;
      const message = `whether there is a Node ${nodeName} is not known: ${messageOf(error)}`;
      problems.push({ reason: "NodeUnknown", message });
      return before?.nodeUid;
    }
  }

  #hasRootKey(problems: Problem[]): boolean {
    try {
      this.#seals.mustBeInPlace();
      return true;
    } catch (error) {
      problems.push({ reason: "SealUnavailable", message: messageOf(error) });
      return false;
    }
  }
}

/** Returns the reason why a pass failed, for the report. */
const failureOf = (error: unknown): Problem =>
  isOfKeyring(error)
    ? { reason: error.code, message: error.message }
    : {
        reason: "PassFailed",
        message: `this node's keyring could not be updated from the custom resources; retrying: ${messageOf(error)}`,
      };

/** In the same words on both, so that neither's report is news to the other. */
const nameShared = (nodeName: string): Problem => ({
  reason: NODE_NAME_SHARED,
  message: `two operators run as node ${nodeName}: give one of them a nodeName of its own and restart it`,
});

const saysShared = (status: KeyServerStatus | undefined): boolean =>
  conditionOf(status?.conditions, "Ready")?.reason === NODE_NAME_SHARED;
