import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../clock.ts";
import type { NodeConfig } from "../config/config.ts";
import { newKeyId } from "../crypto/ids.ts";
import { codeOf, messageOf } from "../errors.ts";
import type { KeyringWriter } from "../keyring/writer.ts";
import { isUnanswered } from "../kube/unanswered.ts";
import type { Log } from "../log.ts";
import type { ObjectName } from "../names.ts";
import { objectName, objectText } from "../resources/object-text.ts";
import type { KeyAlias, KeyServer, KeyVersion, MasterKey } from "../resources/resources.ts";
import type { KeyVersionStatus } from "../resources/schemas/key-version.ts";
import type { MasterKeyStatus } from "../resources/schemas/master-key.ts";
import { hasMaterial } from "../resources/versions.ts";
import type { SealSource } from "../seal/seal-source.ts";
import type { ObjectRef, ResourceEvent } from "../store/events.ts";
import type {
  BindingWrites,
  ClusterNodes,
  KeyVersionCreation,
  KeyVersionLookup,
  NodeRecordWrites,
} from "../store/roles.ts";
import type { Change, View } from "../store/view.ts";
import { parseTime } from "../times.ts";
import { atWritePoint } from "../write-points.ts";
import { decideKeyAlias, type KeyAliasStep } from "./alias/decide-key-alias.ts";
import { type CheckedMasterKey, foreignStatus } from "./claims/decide-claims.ts";
import { withoutClaims } from "./claims/leaving-claims.ts";
import { OwnRecord } from "./claims/own-record.ts";
import { ViewIndex } from "./claims/view-index.ts";
import { keyAliasEvents, masterKeyEvents } from "./events.ts";
import type { ObservedImport } from "./import/decide-import.ts";
import { statusWithFailedImport } from "./import/import-status.ts";
import { MaterialImporter } from "./import/material-importer.ts";
import { WrappingKeyPairs } from "./import/wrapping-key-pairs.ts";
import { decideKeyVersionStatus } from "./master-key/decide-key-version.ts";
import { decideMasterKey, type MasterKeyPlan, statusWithoutVersion } from "./master-key/decide-master-key.ts";
import {
  checkedMasterKey,
  gatherKeyAlias,
  gatherMasterKey,
  needsFreshKeyServers,
} from "./master-key/gather-master-key.ts";
import { dependentsOf } from "./master-key/key-server-dependents.ts";
import { aliasLack, type Lack, type Room, roomFor } from "./master-key/namespace-room.ts";
import { CountedUsage } from "./master-key/namespace-usage.ts";
import { VersionMaker } from "./master-key/version-maker.ts";
import { mustLead } from "./must-lead.ts";
import type { NodeView } from "./nodes/node-view.ts";
import { decideSilence, mayOutliveItsNode, type NodeRecords, nodeViews } from "./nodes/node-views.ts";
import { nextCensus } from "./reencryption/census.ts";
import type { Reencryptor } from "./reencryption/reencryptor.ts";
import { NO_TASK } from "./reencryption/work.ts";
import { isDestroyed } from "./retirement/decide-deletion.ts";
import { Retirement, type RetirementStore } from "./retirement/retirement.ts";
import type { UsageCensus } from "./retirement/usage-census.ts";
import type { TimeKeeper } from "./time/time-keeper.ts";
import { KEY_SERVERS, keyAliasWork, masterKeyWork, RETIREMENT, type WorkItem } from "./work-item.ts";

/** How soon to look again at something that waits for a node: Leases run out without an event. */
const WAITING_MILLISECONDS = 5_000;
/** How soon to look again at something that waits for room in its namespace, or for somebody to change an object. */
const ROOM_MILLISECONDS = 60_000;
/** Those in which API servers are waited for, or their going ends what is said; operators that tell of them fall silent without an event. */
const WATCHED_PHASES = new Set<string | undefined>(["Switching", "Verifying", "Complete"]);
/** How often the progress of a round is written down. */
const PROGRESS_MILLISECONDS = 2_000;

export type LeaderStore = RetirementStore &
  KeyVersionCreation &
  KeyVersionLookup &
  BindingWrites &
  NodeRecordWrites &
  ClusterNodes;

export type LeaderTime = Pick<TimeKeeper, "ask" | "note" | "waiting" | "doubt">;

/** Decides for the whole cluster. Run by the operator that leads. */
export class LeaderLoop {
  readonly #config: NodeConfig;
  readonly #store: LeaderStore;
  readonly #keyring: KeyringWriter;
  readonly #clock: Clock;
  readonly #time: LeaderTime;
  readonly #reencryptor: Reencryptor;
  readonly #importer: MaterialImporter;
  readonly #keyPairs: WrappingKeyPairs;
  readonly #retirement: Retirement;
  #index: ViewIndex | undefined;
  /** KeyServers as they were when their changes were last looked at. */
  readonly #keyServers = new Map<string, KeyServer>();
  readonly #maker: VersionMaker;

  constructor(options: {
    readonly config: NodeConfig;
    readonly store: LeaderStore;
    readonly keyring: KeyringWriter;
    readonly seals: SealSource;
    readonly log: Log;
    readonly clock: Clock;
    readonly reencryptor: Reencryptor;
    readonly usageCensus: UsageCensus;
    readonly time: LeaderTime;
    /** Asks for another look at a MasterKey. */
    readonly lookAgain: (masterKey: ObjectName) => void;
  }) {
    this.#config = options.config;
    this.#store = options.store;
    this.#keyring = options.keyring;
    this.#clock = options.clock;
    this.#time = options.time;
    this.#reencryptor = options.reencryptor;
    this.#keyPairs = new WrappingKeyPairs({ onReady: options.lookAgain, log: options.log });
    this.#importer = new MaterialImporter({ ...options, keyPairs: this.#keyPairs });
    this.#retirement = new Retirement(options);
    this.#maker = new VersionMaker(options);
  }

  /** Everything there is to look at. */
  allWork(): WorkItem[] {
    const view = this.#store.view();
    if (view === undefined) return [];
    return [
      ...view.masterKeys.map((key) => masterKeyWork(objectName(key))),
      ...view.keyAliases.map((alias) => keyAliasWork(objectName(alias))),
      KEY_SERVERS,
      RETIREMENT,
    ];
  }

  /** What a change makes worth looking at: what depends on it, and nothing else. */
  workFor(change: Change): WorkItem[] {
    switch (change.kind) {
      case "MasterKey":
        return [masterKeyWork(objectName(change)), ...this.#aliasesTo(change)];
      case "KeyVersion":
        return [masterKeyWork(change.spec.masterKey), ...(hasMaterial(change) ? [] : [RETIREMENT])];
      case "KeyAlias":
        return [keyAliasWork(objectName(change)), ...this.#targetsOf(change)];
      case "KeyServer":
        return [KEY_SERVERS, ...this.#dependents(change)];
    }
  }

  /** Whether work is on something that is in use already: it must not wait for thousands of new keys. */
  isPrompt(work: WorkItem): boolean {
    if (work.kind === "MasterKey")
      return this.#index?.masterKey(work.name)?.status?.currentVersion !== undefined;
    return work.kind !== "KeyAlias" || this.#index?.alias(work.name)?.status?.masterKey !== undefined;
  }

  /** The keys that an alias points or is to point to, by the change and as it was when a pass last saw it. */
  #targetsOf(alias: KeyAlias): WorkItem[] {
    const { namespace } = objectName(alias);
    const former = this.#index?.alias(objectName(alias));
    const names = [alias, former].flatMap((one) => [one?.spec.masterKey, one?.status?.masterKey]);
    const targets = new Set(names.filter((name) => name !== undefined));
    return [...targets].map((name) => masterKeyWork({ namespace, name }));
  }

  /** An alias that no pass has seen yet waits in the queue itself. */
  #aliasesTo(masterKey: MasterKey): WorkItem[] {
    const { name } = masterKey.metadata;
    return (this.#index?.aliasesBeside(masterKey) ?? [])
      .filter(({ spec, status }) => spec.masterKey === name || status?.masterKey === name)
      .map((alias) => keyAliasWork(objectName(alias)));
  }

  #dependents({ metadata: { name } }: KeyServer): readonly WorkItem[] {
    const view = this.#store.view();
    if (view === undefined) return [];
    const before = this.#keyServers.get(name);
    // Only of this one: when all are listed again, several have changed at once, and each is told by itself.
    const after = view.keyServers.find((server) => server.metadata.name === name);
    if (after === undefined) this.#keyServers.delete(name);
    else this.#keyServers.set(name, after);
    const dependents = dependentsOf(before, after, view);
    return dependents === "all" ? this.allWork() : dependents;
  }

  /** To lead, maybe again: what was counted or written before, others have gone on from since. */
  begin(): void {
    this.#reencryptor.close();
    this.#retirement.begin();
  }

  /** Stops what works beside the loop. */
  close(): void {
    this.#reencryptor.close();
    this.#keyPairs.close();
    this.#retirement.close();
  }

  /** One step for one object. Returns after how many milliseconds to look again, if a wait is needed. */
  async reconcile(work: WorkItem, signal: AbortSignal): Promise<number | undefined> {
    const index = this.#currentIndex();
    if (index === undefined) return undefined;
    switch (work.kind) {
      case "MasterKey": {
        const masterKey = index.masterKey(work.name);
        return masterKey && this.#reconcileMasterKey(masterKey, index, signal);
      }
      case "KeyAlias": {
        const alias = index.alias(work.name);
        return alias && this.#reconcileAlias(alias, index);
      }
      case "KeyServers":
        return this.#tendNodes(index.view, signal);
      case "Retirement":
        await this.#retirement.pass(index, signal, this.#clock.now());
        return WAITING_MILLISECONDS;
    }
  }

  #currentIndex(): ViewIndex | undefined {
    const view = this.#store.view();
    if (view === undefined) return undefined;
    const record = OwnRecord.of(this.#keyring);
    if (this.#index?.record === record) this.#index.follow(view);
    else this.#index = new ViewIndex(view, record);
    return this.#index;
  }

  #usageOf(namespace: string, index: ViewIndex): CountedUsage {
    return new CountedUsage(namespace, index, this.#keyring);
  }

  #roomFor({ metadata, status }: MasterKey, index: ViewIndex): Room {
    const { namespace = "", name } = metadata;
    const usage = this.#usageOf(namespace, index);
    return roomFor(
      { namespace, name, hasKey: status?.keyId !== undefined },
      usage,
      this.#config.limits,
      this.#clock.now(),
    );
  }

  async #reconcileMasterKey(
    masterKey: MasterKey,
    index: ViewIndex,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { masterKey: checked, foreign } = this.#check(masterKey, index);
    if (foreign !== undefined) return this.#letGo(masterKey, foreign);
    // An object on its way out, or whose material was destroyed, is not given new material.
    if (isLeaving(checked, index)) return this.#retire(masterKey, index);
    const plan = await this.#planMasterKey(masterKey, index, signal);
    await this.#makeVersion(masterKey, plan, index, signal);
    const versions = index.versionsFor(masterKey).filter(hasMaterial);
    const room = this.#roomFor(masterKey, index);
    const nodes = this.#nodes(index);
    const { doubt } = this.#time;
    const timeUnknown = doubt?.at === undefined ? doubt?.obstacle : undefined;
    const unsettled = index.isUnsettled(masterKey);
    const importing = { masterKey, plan, versions, nodes, room, timeUnknown, unsettled };
    const imported = await this.#import(importing, index, this.#expiryNow);
    const status = this.#retirement.complete(masterKey, imported, index, this.#clock.now());
    const written = await this.#writeStatus(masterKey, status);
    // After the status is written: what a round has come to is forgotten only then.
    this.#reencryptor.ensure({
      ...this.#round(masterKey, status),
      engine: masterKey.spec.reencryption?.engine ?? "Claviger",
      task: plan.task,
    });
    // What the step changed comes back as an event; version states follow the MasterKey as it is stored.
    await this.#updateVersions(masterKey, index);
    if (!written) await this.#retirement.settleFinalizers(masterKey, index);
    return Math.min(this.#nextLook(plan), this.#importer.lookAgain(importing, this.#expiryNow) ?? Infinity);
  }

  /** The time by which material expires, and imports are judged. */
  get #expiryNow(): Date {
    return this.#time.doubt?.at ?? this.#clock.now();
  }

  #check(masterKey: MasterKey, index: ViewIndex): CheckedMasterKey {
    return checkedMasterKey(masterKey, index, this.#keyring);
  }

  /** A MasterKey that somebody gave another one's keyId: it says so, and nothing holds it. */
  async #letGo(masterKey: MasterKey, foreign: string): Promise<number> {
    const written = await this.#writeStatus(masterKey, foreignStatus(masterKey, foreign, this.#clock.now()));
    if (!written) await this.#retirement.release(masterKey);
    return WAITING_MILLISECONDS;
  }

  /** When to look again where no event will say so. */
  #nextLook({ step, task, status, waitsUntil }: MasterKeyPlan): number {
    const now = this.#clock.now().getTime();
    const times = [
      parseTime(status.rotation?.nextRotationTime),
      parseTime(status.reencryption?.nextRoundAt),
      waitsUntil?.getTime(),
      nextCensus(status.reencryption, this.#config.etcd?.censusInterval),
    ];
    const pauses = times.flatMap((time) => (time === undefined ? [] : Math.max(0, time - now) + 1_000));
    const { longestPause } = this.#clock;
    const waits = step.kind === "wait" || WATCHED_PHASES.has(status.reencryption?.phase);
    const isNew = status.currentVersion === undefined;
    const waiting = waits ? waitingPause(step) * (isNew ? this.#crowd : 1) : longestPause;
    return Math.min(
      longestPause,
      waiting,
      task.kind === "none" ? longestPause : PROGRESS_MILLISECONDS,
      ...pauses,
    );
  }

  /** New keys that all wait for the same node are not all looked at every five seconds: a hundred a second are enough. */
  get #crowd(): number {
    return Math.max(1, (this.#index?.view.masterKeys.length ?? 0) / 500);
  }

  #round({ metadata }: MasterKey, status: MasterKey["status"]) {
    return {
      masterKey: objectName({ metadata }),
      kmsKeyId: status?.reencryption?.kmsKeyId ?? "",
      round: status?.reencryption?.round ?? 0,
    };
  }

  async #retire(masterKey: MasterKey, index: ViewIndex): Promise<number> {
    const now = this.#clock.now();
    const { generation } = masterKey.metadata;
    const before = { ...withoutClaims(masterKey, now), observedGeneration: generation };
    this.#reencryptor.ensure({ ...this.#round(masterKey, undefined), engine: "Claviger", task: NO_TASK });
    const status = this.#retirement.complete(masterKey, before, index, now);
    const written = await this.#writeStatus(masterKey, status);
    await this.#updateVersions(masterKey, index);
    if (!written) await this.#retirement.settleFinalizers(masterKey, index);
    return WAITING_MILLISECONDS;
  }

  /**
   * Returns whether there was something to write. One write to one object a pass: the
   * finalizer, of which the status says why the object is held, waits for the next. It
   * comes last, so that where it may not be set all else goes on.
   */
  async #writeStatus(masterKey: MasterKey, status: MasterKeyStatus): Promise<boolean> {
    if (isDeepStrictEqual(masterKey.status, status)) return false;
    mustLead(this.#store, `the status of MasterKey ${objectText(masterKey)}`);
    await atWritePoint("masterkey.status", () => this.#store.applyStatus<"MasterKey">(masterKey, status));
    await this.#record(masterKey, masterKeyEvents(masterKey.status, status));
    return true;
  }

  #nodes({ view }: ViewIndex): NodeView[] {
    return nodeViews(view.keyServers, view.heardOf, new Date());
  }

  /**
   * A promotion, and that something is done, is decided once more on KeyServers read
   * past the cache: a node that has just joined counts.
   */
  async #planMasterKey(masterKey: MasterKey, index: ViewIndex, signal: AbortSignal): Promise<MasterKeyPlan> {
    const plan = this.#decide(masterKey, index, index.view.keyServers);
    if (!needsFreshKeyServers(plan, masterKey)) return plan;
    return this.#decide(masterKey, index, await this.#store.fresh("KeyServer", signal));
  }

  #decide(masterKey: MasterKey, index: ViewIndex, keyServers: readonly KeyServer[]): MasterKeyPlan {
    const censusInterval = this.#config.etcd?.censusInterval;
    const facts = {
      work: this.#reencryptor.work(this.#round(masterKey, masterKey.status)),
      reachable: this.#config.resources.kind === "kubeconfig",
      census: this.#config.etcd !== undefined,
      ...(censusInterval !== undefined && { censusInterval }),
      room: this.#roomFor(masterKey, index),
      freshKeyId: newKeyId(),
      arnPrefix: this.#arn("key/"),
      expiryNow: this.#expiryNow,
    };
    const sources = { masterKey, index, keyring: this.#keyring, keyServers, facts };
    const observed = gatherMasterKey(sources, new Date());
    return decideMasterKey(observed, this.#clock.now());
  }

  async #makeVersion(
    masterKey: MasterKey,
    plan: MasterKeyPlan,
    index: ViewIndex,
    signal: AbortSignal,
  ): Promise<void> {
    const { step } = plan;
    if (step.kind !== "createVersion") return;
    const now = this.#clock.now();
    const failed = (why: string) => statusWithoutVersion(masterKey, plan, why, now);
    await this.#orSay(masterKey, index, () => this.#maker.make(masterKey, step, index, signal), failed);
  }

  #import(importing: ObservedImport, index: ViewIndex, now: Date): Promise<MasterKeyStatus> {
    const failed = (why: string) => statusWithFailedImport(importing, why, now);
    return this.#orSay(importing.masterKey, index, () => this.#importer.complete(importing, now), failed);
  }

  /** Why something cannot be made stands in the status, and it is tried again: the log is of one node only. */
  async #orSay<T>(
    masterKey: MasterKey,
    index: ViewIndex,
    make: () => Promise<T>,
    failed: (why: string) => MasterKeyStatus | undefined,
  ): Promise<T> {
    try {
      return await make();
    } catch (error) {
      if (codeOf(error) === "Conflict" || isUnanswered(error)) throw error;
      const status = failed(messageOf(error));
      if (status === undefined) throw error;
      const completed = this.#retirement.complete(masterKey, status, index, this.#clock.now());
      await this.#writeStatus(masterKey, completed);
      throw error;
    }
  }

  async #updateVersions(masterKey: MasterKey, index: ViewIndex): Promise<void> {
    for (const version of index.versionsFor(masterKey)) {
      const status = decideKeyVersionStatus(version, masterKey);
      if (isDeepStrictEqual(version.status, status)) continue;
      await this.#updateVersion(version, status);
    }
  }

  /** A version that was deleted, with its definition perhaps, has no status: that must not hold its MasterKey up. */
  async #updateVersion(version: KeyVersion, status: KeyVersionStatus): Promise<void> {
    try {
      await atWritePoint("keyversion.status", () => this.#store.applyStatus<"KeyVersion">(version, status));
    } catch (error) {
      if (codeOf(error) !== "NotFound") throw error;
    }
  }

  async #reconcileAlias(alias: KeyAlias, index: ViewIndex): Promise<number | undefined> {
    const sources = {
      ...{ alias, index, keyring: this.#keyring, arnPrefix: this.#arn("alias/") },
      lack: () => this.#aliasLack(alias, index),
    };
    const plan = decideKeyAlias(gatherKeyAlias(sources, new Date()), this.#clock.now());
    if (!isDeepStrictEqual(alias.status, plan.status)) {
      mustLead(this.#store, `the status of KeyAlias ${objectText(alias)}`);
      await atWritePoint("keyalias.status", () => this.#store.applyStatus<"KeyAlias">(alias, plan.status));
      await this.#record(alias, keyAliasEvents(alias.status, plan.status));
    }
    return aliasPause(plan.step);
  }

  #aliasLack({ metadata }: KeyAlias, index: ViewIndex): Lack | undefined {
    const { namespace = "", name } = metadata;
    return aliasLack({ namespace, name }, this.#usageOf(namespace, index), this.#config.limits);
  }

  /** The records of a node that is gone would block every promotion for ever; those of a silent one would say Ready. */
  async #tendNodes(view: View, signal: AbortSignal): Promise<number> {
    const now = new Date();
    const servers = new Map(view.keyServers.map((server) => [server.metadata.name, server]));
    const withNodes = view.keyServers.filter(({ status }) => status?.nodeUid !== undefined);
    const failures: unknown[] = [];
    for (const node of nodeViews(view.keyServers, view.heardOf, now)) {
      if (!node.stale) continue;
      const records = {
        server: servers.get(node.name),
        lease: view.nodeLeases?.get(node.name),
        othersHaveNodes: withNodes.some(({ metadata }) => metadata.name !== node.name),
      };
      try {
        await this.#tendNode(records, node, now, signal);
      } catch (error) {
        if (isUnanswered(error)) throw error;
        // One that fails holds up no other.
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return WAITING_MILLISECONDS;
  }

  async #tendNode(records: NodeRecords, node: NodeView, now: Date, signal: AbortSignal): Promise<void> {
    const { server, lease } = records;
    if (mayOutliveItsNode(records, node) && !(await this.#hasNode(node, signal))) {
      // The Lease first: if it was renewed meanwhile, the node is not gone, and its KeyServer stays.
      if (lease !== undefined) await this.#store.deleteNodeLease?.(lease);
      if (server !== undefined) await this.#store.deleteKeyServer(server);
      return;
    }
    const silence = server && decideSilence(server, node, now);
    if (server !== undefined && silence !== undefined) await this.#store.setCondition(server, silence);
  }

  async #hasNode({ name }: NodeView, signal: AbortSignal): Promise<boolean> {
    return (await this.#store.nodeUid(name, signal)) !== undefined;
  }

  async #record(object: ObjectRef, events: readonly ResourceEvent[]): Promise<void> {
    for (const event of events) await this.#store.recordEvent(object, event);
  }

  #arn(resource: string): string {
    return `arn:aws:kms:${this.#config.region}:${this.#config.account}:${resource}`;
  }
}

/** Leases run out without an event; room in a namespace comes seldom, and thousands may wait for it. */
const waitingPause = (step: MasterKeyPlan["step"]): number =>
  step.kind === "wait" && step.reason === "QuotaExceeded" ? ROOM_MILLISECONDS : WAITING_MILLISECONDS;

/** What waits for nodes or for a time is looked at soon; the rest comes with an event of some object. */
function aliasPause(step: KeyAliasStep): number | undefined {
  if (step.kind === "point") return undefined;
  return AWAITED_BY_ALIASES.has(step.finding.reason) ? ROOM_MILLISECONDS : WAITING_MILLISECONDS;
}

/** Thousands of aliases may wait for these. */
const AWAITED_BY_ALIASES = new Set([
  "QuotaExceeded",
  "MasterKeyNotFound",
  "MasterKeyNotReady",
  "TooManyFormerTargets",
  "ImportedNotAllowed",
]);

const isLeaving = (masterKey: MasterKey, index: ViewIndex): boolean =>
  masterKey.metadata.deletionTimestamp !== undefined || isDestroyed(masterKey, index.versionsFor(masterKey));
