import { isDeepStrictEqual } from "node:util";
import { SETTLE_MILLISECONDS } from "../../api-server-times.ts";
import type { NodeConfig } from "../../config/config.ts";
import { ClavigerError, codeOf, messageOf } from "../../errors.ts";
import type { KeyringChange } from "../../keyring/changes.ts";
import { isExpired, type ObservationRow, type VersionRow } from "../../keyring/rows.ts";
import { recordServedImports } from "../../keyring/tables/served-imports.ts";
import type { KeyringWriter } from "../../keyring/writer.ts";
import { type Problem, VersionTester } from "../../keys/version-tester.ts";
import { isUnanswered } from "../../kube/unanswered.ts";
import type { Log } from "../../log.ts";
import { keyRefText } from "../../names.ts";
import { conditionOf, withFindings } from "../../resources/conditions.ts";
import { sameBinding, toVersionRow } from "../../resources/key-version-rows.ts";
import type { KeyServer, KeyVersion } from "../../resources/resources.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import { promotionCandidate } from "../../resources/versions.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import { NODE_NAME_SHARED } from "../../store/nodes/name-watch.ts";
import type { BindingWrites, ClusterNodes, Leadership, OwnReport } from "../../store/roles.ts";
import type { View } from "../../store/view.ts";
import { atWritePoint } from "../../write-points.ts";
import { OwnRecord } from "../claims/own-record.ts";
import { soundView } from "../claims/sound-view.ts";
import { ViewIndex } from "../claims/view-index.ts";
import { UntoldObservations } from "../nodes/untold-observations.ts";
import type { TimeKeeper } from "../time/time-keeper.ts";
import { TimeSlice } from "../time/time-slice.ts";
import type { ApiServerWatch } from "./api-server-watch.ts";
import { Binder } from "./binder.ts";
import { type ApiServerState, decideApiServer } from "./decide-api-server.ts";
import { erasedHere } from "./decide-erasure.ts";
import { decideKeyServerStatus } from "./decide-key-server.ts";
import { decideKeyring } from "./decide-keyring.ts";
import { Eraser, type EraserStore, type EraserTime } from "./eraser.ts";
import { Giver, type GiverStore } from "./giver.ts";
import { type Listable, listable, MOST_LISTED } from "./listed-versions.ts";
import { importsServed, servedVersions } from "./served-versions.ts";
import { SocketScopes } from "./socket-scopes.ts";
import { SocketWatch } from "./socket-watch.ts";
import { TakeUps } from "./take-ups.ts";

type NodeLoopConfig = Pick<NodeConfig, "nodeName" | "providers" | "encryptionConfig">;
type NodeLoopStore = GiverStore & EraserStore & BindingWrites & OwnReport & ClusterNodes & Leadership;

/** For so long a report stands that no pass renews: the Lease says meanwhile that the report is true. */
const LASTING_MILLISECONDS = 60_000;

/** What a node knows of time. */
export type NodeTime = EraserTime & Pick<TimeKeeper, "doubt">;

/**
 * Keeps this node's keyring in step with the resources and reports what it
 * holds. Every node's operator runs one, leader or not.
 */
export class NodeLoop {
  readonly #config: NodeLoopConfig;
  readonly #store: NodeLoopStore;
  readonly #keyring: KeyringWriter;
  readonly #seals: SealSource;
  readonly #tester: VersionTester;
  readonly #scopes: SocketScopes;
  readonly #sockets: SocketWatch;
  readonly #apiServer: ApiServerWatch | undefined;
  readonly #takeUps: TakeUps;
  readonly #untold = new UntoldObservations();
  readonly #uptime: () => number;
  /** How many Encrypts there were at the last pass. */
  #encrypts = 0;
  /** When to report what lasts long enough by then. */
  #reportAt: number | undefined;
  /** Whether the API server uses another file than is on the disk. */
  #isTrying = false;
  readonly #eraser: Eraser;
  readonly #giver: Giver;
  readonly #binder: Binder;
  readonly #time: NodeTime;
  readonly #log: Log;
  /** What providers serve that do not take imported material in place of claviger's own. */
  readonly #guarded: ReadonlySet<string>;
  #reported: KeyServerStatus | undefined;
  /** KeyVersions, as the view has them, whose ownership proof was verified. */
  readonly #verified = new WeakSet<KeyVersion>();
  /** Versions, as the keyring has them, whose ownership proof fits. */
  readonly #honest = new WeakSet<VersionRow>();
  #index: ViewIndex | undefined;
  /** Since when no pass has come to its end, by the clock of `uptime`; undefined if the last one did. */
  #failingSince: number | undefined;
  /** Whether the last view had our KeyServer: one that is missing after that was deleted. */
  #seen = false;
  /** The problems that the log had last, by the type of their condition. */
  readonly #told = new Map<string, string>();

  constructor(options: {
    readonly config: NodeLoopConfig;
    readonly store: NodeLoopStore;
    readonly keyring: KeyringWriter;
    readonly seals: SealSource;
    readonly time: NodeTime;
    readonly log: Log;
    /** Left out if there is no API server to ask. */
    readonly apiServer?: ApiServerWatch | undefined;
    /** Milliseconds by a clock that never steps. */
    readonly uptime?: () => number;
    /** SETTLE_MILLISECONDS if left out. */
    readonly settleMilliseconds?: number | undefined;
  }) {
    this.#time = options.time;
    this.#config = options.config;
    this.#store = options.store;
    this.#keyring = options.keyring;
    this.#seals = options.seals;
    this.#log = options.log;
    const guarded = options.config.providers.filter(({ allowImported }) => allowImported !== true);
    this.#guarded = new Set(guarded.map(({ ref }) => keyRefText(ref)));
    this.#tester = new VersionTester(options.seals);
    this.#scopes = new SocketScopes(options.config.encryptionConfig);
    this.#sockets = new SocketWatch(options.config.providers);
    this.#apiServer = options.apiServer;
    this.#uptime = options.uptime ?? (() => performance.now());
    this.#takeUps = new TakeUps(options.settleMilliseconds ?? SETTLE_MILLISECONDS);
    const apply = (changes: readonly KeyringChange[], problems: Problem[]) => this.#apply(changes, problems);
    this.#giver = new Giver({ ...options, tester: this.#tester, apply });
    this.#binder = new Binder({ ...options, tester: this.#tester });
    this.#eraser = new Eraser({ ...options, tester: this.#tester, apply });
  }

  /**
   * One pass: register, store, hand back, report. A node makes itself known
   * before it stores its first version, so that no promotion misses it.
   * Returns whether all is well; where not, a later pass may find it mended.
   */
  async reconcile(now: Date, signal: AbortSignal): Promise<boolean> {
    await this.#apiServer?.first;
    const given = this.#store.view();
    if (given === undefined) return false;
    const { view, problems } = soundView(given);
    const { nodeName } = this.#config;
    const own = view.keyServers.find((server) => server.metadata.name === nodeName);
    if (own === undefined) await this.#register(now);
    this.#seen = own !== undefined;
    try {
      const well = await this.#pass(view, own, [...problems], now, signal);
      this.#failingSince = undefined;
      return well;
    } catch (error) {
      if (!signal.aborted && !this.#mayPass(error)) await this.#reportFailure(error, own?.status, now);
      throw error;
    }
  }

  /** Nobody was there to ask, or somebody was faster: neither is a fault of this node, unless it lasts. */
  #mayPass(error: unknown): boolean {
    this.#failingSince ??= this.#uptime();
    const lasts = this.#uptime() - this.#failingSince >= LASTING_MILLISECONDS;
    return !lasts && (isUnanswered(error) || codeOf(error) === "Conflict");
  }

  async #pass(
    view: View,
    own: KeyServer | undefined,
    problems: Problem[],
    now: Date,
    signal: AbortSignal,
  ): Promise<boolean> {
    const slice = new TimeSlice();
    const keyVersions = await this.#eraser.pass(view, OwnRecord.of(this.#keyring), problems);
    const living = { ...view, keyVersions };
    await slice.pause();
    const stored = this.#contents();
    const contents = { ...stored, versions: await this.#withoutFalseProofs(stored.versions, slice) };
    for (const { error } of contents.unreadable)
      problems.push({ reason: "VersionUnreadable", message: error.message });
    for (const { error } of this.#keyring.unreadableRows())
      problems.push({ reason: "RowUnreadable", message: error.message });
    const gone = [...this.#keyring.destroyedIds()].map((versionId) => ({ versionId }));
    const held = [...contents.versions, ...contents.unreadable, ...gone];
    const acceptable = await this.#acceptable(living, held, problems, slice);
    const proven = await this.#proven(living, problems, slice);
    const served = servedVersions({ ...contents, ...this.#service() });
    await slice.pause();
    const plan = decideKeyring(living, contents, { acceptable, proven, served, guarded: this.#guarded });
    await slice.pause();
    this.#apply(plan.changes, problems);
    await this.#giver.handBack(plan, problems);
    await this.#giver.settleSeals(plan, problems);
    await this.#binder.settle(plan, problems);
    if (this.#store.leading) await this.#binder.prove(plan, stored.versions, problems);
    const versions = this.#keyring.versions();
    this.#recordServed(versions, problems);
    await slice.pause();
    const index = this.#indexOf(view);
    const openable = await this.#prepare(index, versions, problems, now, slice);
    // What opens under a root key that only this process still has would be lost at its end.
    const prepared = this.#hasRootKey(problems) ? openable : [];
    const { held: seal } = this.#seals;
    const { time } = this.#time.waiting;
    if (time.kind === "disagree") problems.push({ reason: time.reason, message: time.message });
    for (const message of plan.contradictions) problems.push({ reason: "Contradiction", message });
    const observations = this.#keyring.observations();
    const apiServer = this.#apiServerState(observations, problems);
    const providers = this.#scopes.of(this.#config.providers, apiServer?.status, own?.status);
    const shared = this.#store.nameIsShared ? nameShared(this.#config.nodeName) : undefined;
    if (shared !== undefined) problems.unshift(shared);
    const { leaseFault } = this.#store;
    if (leaseFault !== undefined) problems.push({ reason: "LeaseRefused", message: leaseFault });
    const observed = {
      before: own?.status,
      // Asked each time: the Node may have been deleted and made again.
      nodeUid: await this.#nodeUid(own?.status, problems, signal),
      persistedResourceVersion: view.keyVersionsUpTo,
      versions,
      prepared,
      erased: erasedHere(this.#keyring.tombstones(), view.keyVersions),
      problems,
      seal: seal && { provider: seal.provider, rootKeyId: seal.rootKeyId },
      providers,
      observations: this.#reportedObservations(observations, own?.status),
      silent: this.#sockets.silent,
      ...(apiServer !== undefined && { apiServer }),
    };
    const status = decideKeyServerStatus(observed, now);
    this.#keyring.mustBeInPlace();
    // Two that correct one another's reports would do nothing else.
    if (shared !== undefined && says(own?.status, shared)) return false;
    await this.#report(status, own?.status);
    // What waits for its turn in the list comes to it by time alone.
    const allListed = prepared.length <= MOST_LISTED && observed.erased.length <= MOST_LISTED;
    return allListed && conditionOf(status.conditions, "Ready")?.status === "True";
  }

  /**
   * Whether there is something to report that is no resource: the EncryptionConfiguration
   * or the root key was edited. Says so once: a pass that fails is tried again after a pause.
   */
  filesChanged(): boolean {
    const edited = this.#scopes.changed();
    if (edited) this.#apiServer?.hurry();
    return this.#seals.changed() || edited;
  }

  /** Asks the API server which file it uses, if it is time. Returns whether there is something new to report. Never rejects. */
  async lookAtApiServer(signal: AbortSignal): Promise<boolean> {
    const isNew = (await this.#apiServer?.tick(this.#isTrying, signal)) ?? false;
    const isDue = this.#reportAt !== undefined && this.#uptime() >= this.#reportAt;
    if (isDue) this.#reportAt = undefined;
    return isNew || isDue;
  }

  #apiServerState(observations: readonly ObservationRow[], problems: Problem[]): ApiServerState | undefined {
    const file = this.#scopes.file();
    if (file?.fault !== undefined) problems.push({ reason: "EncryptionConfigInvalid", message: file.fault });
    if (this.#apiServer === undefined) return undefined;
    const times = observations.flatMap(({ lastStatusAt }) => lastStatusAt ?? []);
    const lastStatusAt = times.length === 0 ? undefined : Math.max(...times);
    const state = decideApiServer({ heard: this.#apiServer.heard, file, lastStatusAt });
    this.#isTrying = state.status.encryptionConfig === "NotLoaded";
    return state;
  }

  /** An Encrypt that nobody expected is a reason to ask the API server what it is about. */
  #reportedObservations(
    observations: readonly ObservationRow[],
    before: KeyServerStatus | undefined,
  ): readonly ObservationRow[] {
    if (this.#apiServer === undefined) return observations;
    const encrypts = observations.reduce((sum, row) => sum + row.encrypts, 0);
    if (encrypts !== this.#encrypts) this.#apiServer.hurry();
    this.#encrypts = encrypts;
    const { heard } = this.#apiServer;
    const uptime = this.#uptime();
    // The plugin knows nothing of what a test adds to our clock.
    const real = performance.now();
    const reported = this.#takeUps.reported(
      this.#untold.marked(observations, real),
      { heard, isTrying: this.#isTrying, before },
      uptime,
    );
    const untold = this.#untold.nextAt(real);
    const times = [this.#takeUps.lastingAt, untold && uptime + untold - real];
    const ahead = times.flatMap((time) => (time !== undefined && time > uptime ? time : []));
    this.#reportAt = ahead.length === 0 ? undefined : Math.min(...ahead);
    return reported;
  }

  /** Looks whether a plugin listens on each socket. Returns whether there is something new to report. Never rejects. */
  lookAtSockets(): Promise<boolean> {
    return this.#sockets.look();
  }

  async #register(now: Date): Promise<void> {
    if (this.#reported !== undefined && !this.#seen) return;
    this.#reported = undefined;
    const starting = {
      type: "Ready",
      status: "False",
      reason: "Starting",
      message: "reading the versions",
    } as const;
    const status = {
      versions: 0,
      prepared: [],
      conditions: withFindings(undefined, [starting], undefined, now),
    };
    await this.#store.reportKeyServer(this.#config.nodeName, status);
  }

  #apply(changes: readonly KeyringChange[], problems: Problem[]): void {
    this.#orReport(problems, () => this.#keyring.apply(changes));
  }

  /** The plugin's own record of what it serves may be gone after a power cut. */
  #recordServed(versions: readonly VersionRow[], problems: Problem[]): void {
    const { providers, observations } = this.#service();
    const served = importsServed(providers, observations, versions);
    this.#orReport(problems, () => recordServedImports(this.#keyring, served));
  }

  /** Where the disk is full or broken, what is held already is reported all the same, with the reason. */
  #orReport(problems: Problem[], write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!isOfKeyring(error)) throw error;
      problems.unshift({ reason: error.code, message: error.message });
    }
  }

  /** A pass that failed may have stored nothing: the last report must not stand, and nothing is prepared. */
  async #reportFailure(error: unknown, before: KeyServerStatus | undefined, now: Date): Promise<void> {
    const reason = isOfKeyring(error) ? error.code : "PassFailed";
    const message = isOfKeyring(error)
      ? error.message
      : `the keyring was not brought in step, and it is tried again: ${messageOf(error)}`;
    const finding = { type: "Ready", status: "False", reason, message } as const;
    const conditions = withFindings(before?.conditions, [finding], undefined, now);
    try {
      await this.#report({ ...before, prepared: [], conditions }, before);
    } catch (cause) {
      // An API server that answers nobody is told of elsewhere.
      if (isUnanswered(cause)) return;
      // The first failure is the one to know of, and may have been of the report itself.
      const { nodeName } = this.#config;
      this.#log("warn", `KeyServer ${nodeName} could not be written: ${messageOf(cause)}`);
    }
  }

  #contents() {
    return {
      keys: this.#keyring.keys(),
      aliases: this.#keyring.aliases(),
      tombstones: this.#keyring.tombstones(),
      ...this.#keyring.readVersions(),
    };
  }

  #service() {
    return { providers: this.#config.providers, observations: this.#keyring.observations() };
  }

  /**
   * A proof that does not fit its own row counts as none: an older release moved validTo
   * without it. Without a root key nobody can tell, and all stays as it is.
   */
  async #withoutFalseProofs(
    versions: readonly VersionRow[],
    slice: TimeSlice,
  ): Promise<readonly VersionRow[]> {
    const honest: VersionRow[] = [];
    try {
      for (const version of versions) {
        honest.push(await this.#withoutFalseProof(version));
        await slice.pause();
      }
      return honest;
    } catch (error) {
      if (codeOf(error) !== "SealUnavailable") throw error;
      return versions;
    }
  }

  async #withoutFalseProof(version: VersionRow): Promise<VersionRow> {
    if (version.ownership === undefined || this.#honest.has(version)) return version;
    if (await this.#tester.isProven(version)) {
      this.#honest.add(version);
      return version;
    }
    const { ownership: _, ...unproven } = version;
    return unproven;
  }

  #indexOf(view: View): ViewIndex {
    const record = OwnRecord.of(this.#keyring);
    if (this.#index?.record === record) this.#index.follow(view);
    else this.#index = new ViewIndex(view, record);
    return this.#index;
  }

  /** Names of the KeyVersions whose owner and validTo are proven. Without a root key none is, and all stays as it is. */
  async #proven(
    { keyVersions }: Pick<View, "keyVersions">,
    problems: Problem[],
    slice: TimeSlice,
  ): Promise<Set<string>> {
    const proven = new Set<string>();
    try {
      for (const object of keyVersions) {
        await slice.pause();
        if (!this.#verified.has(object) && !(await this.#tester.isProven(toVersionRow(object)))) continue;
        this.#verified.add(object);
        proven.add(object.metadata.name);
      }
    } catch (error) {
      if (codeOf(error) !== "SealUnavailable") throw error;
      problems.push({ reason: "SealUnavailable", message: messageOf(error) });
      return new Set();
    }
    return proven;
  }

  /** The KeyVersions not held yet that open here, by name. What is wrong with the others is shown. */
  async #acceptable(
    { keyVersions }: View,
    held: readonly { readonly versionId: string }[],
    problems: Problem[],
    slice: TimeSlice,
  ): Promise<Set<string>> {
    const known = new Set<string>(held.map((version) => version.versionId));
    const acceptable = new Set<string>();
    for (const { metadata, spec } of keyVersions) {
      if (known.has(spec.versionId)) continue;
      await slice.pause();
      const fault = await this.#faultOf(toVersionRow({ spec }));
      if (fault === undefined) acceptable.add(metadata.name);
      else problems.push({ ...fault, message: `KeyVersion ${metadata.name}: ${fault.message}` });
    }
    return acceptable;
  }

  /**
   * The candidates for promotion that this node could serve this very moment.
   * Current versions are tested too: a node that cannot open them must not look well.
   */
  async #prepare(
    index: ViewIndex,
    versions: readonly VersionRow[],
    problems: Problem[],
    now: Date,
    slice: TimeSlice,
  ): Promise<Listable[]> {
    const stored = new Map<string, VersionRow>(versions.map((version) => [version.versionId, version]));
    // As the plugin and the leader judge it: a clock that may be wrong expires nothing.
    const expiryNow = (this.#time.doubt?.at ?? now).getTime();
    const prepared: Listable[] = [];
    for (const masterKey of index.view.masterKeys) {
      await slice.pause();
      const current = stored.get(masterKey.status?.currentVersion?.versionId ?? "");
      const currentFault = current && (await this.#faultOf(current));
      if (currentFault !== undefined) problems.push(currentFault);
      const candidate = promotionCandidate(masterKey, index.versionsFor(masterKey));
      const row = stored.get(candidate?.spec.versionId ?? "");
      // A copy of the version under another number, which is told of as a contradiction.
      if (candidate === undefined || row === undefined || !sameBinding(row, toVersionRow(candidate)))
        continue;
      // It cannot be promoted, and must not take the place of one that can.
      if (isExpired(row, expiryNow) || masterKey.metadata.deletionTimestamp !== undefined) continue;
      const fault = await this.#faultOf(row);
      if (fault === undefined) prepared.push(listable(candidate));
      else problems.push(fault);
    }
    return prepared;
  }

  /** Whatever one version's test fails of is that version's problem, and stops no other. */
  async #faultOf(version: VersionRow): Promise<Problem | undefined> {
    try {
      return await this.#tester.fault(version);
    } catch (error) {
      const message = `version ${version.number} of key ${version.keyId} could not be tested: ${messageOf(error)}`;
      return { reason: "VersionUntested", message };
    }
  }

  /** Where the API server refuses to tell, what is known stands, and all else is reported. */
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

  async #report(status: KeyServerStatus, before: KeyServerStatus | undefined): Promise<void> {
    this.#tell(status);
    // What a former life reported may be true no longer, and the Lease waits for this one's word.
    // What the view does not show may be late, or was deleted: said again, it is no news.
    const known = this.#reported && before;
    if (known !== undefined && isDeepStrictEqual(withoutPosition(known), withoutPosition(status))) return;
    await atWritePoint("keyserver.status", () => this.#store.reportKeyServer(this.#config.nodeName, status));
    this.#reported = status;
  }

  /** What is wrong here is in the log too: the API server may be away, and standalone there is none to ask. */
  #tell({ conditions = [] }: KeyServerStatus): void {
    for (const { type, status, reason, message } of conditions) {
      const problem = status === "False" && reason !== "ProviderWithoutKey";
      const told = problem ? message : undefined;
      if (told === this.#told.get(type)) continue;
      if (told === undefined) this.#told.delete(type);
      else this.#told.set(type, told);
      this.#log(problem ? "warn" : "info", `KeyServer ${this.#config.nodeName}: ${message}`, { reason });
    }
  }
}

const isOfKeyring = (error: unknown): error is ClavigerError =>
  error instanceof ClavigerError && (error.code === "KeyringUnavailable" || error.code === "KeyringCorrupt");

/** In the same words on both: neither's report is news to the other. */
const nameShared = (nodeName: string): Problem => ({
  reason: NODE_NAME_SHARED,
  message: `two operators run as node ${nodeName}: give one of them a nodeName of its own and restart it`,
});

const says = (status: KeyServerStatus | undefined, { reason }: Problem): boolean =>
  conditionOf(status?.conditions, "Ready")?.reason === reason;

/** resourceVersions move with every heartbeat elsewhere; alone they are no news. */
function withoutPosition(status: KeyServerStatus): KeyServerStatus {
  const { persistedResourceVersion: _, ...rest } = status;
  return rest;
}
