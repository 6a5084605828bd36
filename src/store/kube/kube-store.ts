import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { NodeConfig } from "../../config/config.ts";
import { codeOf, messageOf } from "../../errors.ts";
import { type ApiServerWord, askApiServer } from "../../kube/api-server-metrics.ts";
import {
  type ApplyRequest,
  KubeClient,
  KubeError,
  type KubeRequest,
  retryAfterOf,
} from "../../kube/client.ts";
import { LeaderElector } from "../../kube/leader-election.ts";
import { deleteLease, type Lease, microTime, readLease, writeLease } from "../../kube/leases.ts";
import { collectionPath, leasesPath, objectPath } from "../../kube/paths.ts";
import { Reflector } from "../../kube/reflector.ts";
import type { Log } from "../../log.ts";
import type { Destroyed } from "../../resources/deletion-schema.ts";
import { FINALIZER } from "../../resources/finalizer.ts";
import type { Binding, Seal } from "../../resources/key-version-rows.ts";
import {
  type AnyResource,
  API_VERSION,
  type Condition,
  type KeyAlias,
  type KeyServer,
  type KeyServerStatus,
  type KeyVersion,
  type Kind,
  type MasterKey,
  type ResourceOf,
} from "../../resources/resources.ts";
import type { StoredObjects } from "../../storage/stored-objects.ts";
import { parseTime } from "../../times.ts";
import { ToldOnce } from "../../told-once.ts";
import { atWritePoint } from "../../write-points.ts";
import { EventLimiter } from "../event-limiter.ts";
import type { ObjectRef, ResourceEvent } from "../events.ts";
import { logEvent, noteOf } from "../log-event.ts";
import type { ResourceStore } from "../resource-store.ts";
import type { StoreListener } from "../roles.ts";
import type { Change, View } from "../view.ts";
import { ApiServerLeases } from "./api-server-leases.ts";
import { heldByNobody, isLeaseRefused, leaseFault, namespaceState } from "./home-namespace.ts";
import { KubeStoredObjects } from "./kube-stored-objects.ts";
import { LeaseClocks, type NodeClocks } from "./lease-clocks.ts";
import { NameWatch } from "./name-watch.ts";
import { NodeHearing } from "./node-hearing.ts";
import {
  LEADER_LEASE,
  markedNodeLease,
  NODE_LABEL,
  NODE_LEASE_SECONDS,
  type NodeLease,
  nodeLeaseFrom,
  nodeLeaseOf,
} from "./node-leases.ts";
import { NodeReport } from "./node-report.ts";
import { statusCorrection } from "./status-leftovers.ts";

const HEARTBEAT_MILLISECONDS = 10_000;
const RETRY_MILLISECONDS = 1_000;
/** Within the 40 s for which a Lease is believed, it is tried several times. */
const MAX_RETRY_MILLISECONDS = 5_000;
/** How long a write in flight has at a stop. A server that does not answer by then does not hold the stop up. */
const LAST_WRITES_MILLISECONDS = 3_000;

/** What of an object a write names; without a resourceVersion it is to be created. */
interface Written {
  readonly name: string;
  readonly namespace?: string;
  readonly resourceVersion?: string;
}

/** A JSON merge patch (RFC 7396): null removes. */
interface Patch {
  readonly metadata?: { readonly finalizers: readonly string[] };
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** Refused for what it says, by the schema for instance. */
const isInvalid = (error: unknown): boolean => error instanceof KubeError && error.httpStatus === 422;

/** The custom resources of an API server. */
export class KubeStore implements ResourceStore {
  readonly #client: KubeClient;
  readonly storedObjects: StoredObjects;
  readonly #config: NodeConfig;
  readonly #log: Log;
  readonly #fieldManager: string;
  readonly #masterKeys: Reflector<MasterKey>;
  readonly #keyVersions: Reflector<KeyVersion>;
  readonly #keyAliases: Reflector<KeyAlias>;
  readonly #keyServers: Reflector<KeyServer>;
  readonly #leases: Reflector<Lease>;
  readonly #hearing = new NodeHearing();
  readonly #apiServers: ApiServerLeases;
  readonly #nodeLeases = new Map<string, NodeLease>();
  readonly #leaseClocks = new LeaseClocks();
  readonly #wall: () => number;
  readonly #elector: LeaderElector;
  readonly #report: NodeReport;
  /** Ends all writes, a moment after the stop. */
  readonly #writes = new AbortController();
  readonly #heartbeatMilliseconds: number;
  /** This process among all that ever had the node's name. */
  readonly #instance: string;
  readonly #nameWatch: NameWatch;
  readonly #events = new EventLimiter();
  #nameIsShared = false;
  #leaseFault: string | undefined;
  /** Of this node's Node object, empty if there is none; undefined before the first whole report. */
  #nodeUid: string | undefined;
  #listener: StoreListener | undefined;
  #view: View | undefined;

  constructor(
    config: NodeConfig,
    kubeconfigPath: string,
    log: Log,
    { heartbeatMilliseconds = HEARTBEAT_MILLISECONDS, wall = () => Date.now() } = {},
  ) {
    this.#wall = wall;
    this.#client = new KubeClient(kubeconfigPath);
    this.#heartbeatMilliseconds = heartbeatMilliseconds;
    this.#instance = `${config.nodeName}/${randomUUID()}`;
    this.#nameWatch = new NameWatch(this.#instance);
    this.#apiServers = new ApiServerLeases(this.#client, log);
    this.storedObjects = new KubeStoredObjects(this.#client, config, nodeLeaseOf(config));
    this.#config = config;
    this.#log = log;
    this.#fieldManager = "claviger";
    this.#report = new NodeReport((status) => this.#writeKeyServer(config.nodeName, status));
    this.#masterKeys = this.#reflect("MasterKey");
    this.#keyVersions = this.#reflect("KeyVersion");
    this.#keyAliases = this.#reflect("KeyAlias");
    this.#keyServers = this.#reflect("KeyServer");
    this.#leases = new Reflector({
      client: this.#client,
      path: leasesPath(config.leaseNamespace),
      query: { labelSelector: NODE_LABEL },
      log,
      onChange: (lease, event) => this.#hear(lease, event),
      onSynced: () => this.#synced(),
    });
    this.#elector = new LeaderElector({
      client: this.#client,
      ref: { namespace: config.leaseNamespace, name: LEADER_LEASE },
      // One operator per state folder (its lock sees to it), so the node's name is one identity.
      identity: config.nodeName,
      log,
      onChange: (leading) => leading && this.#listener?.onBegin(),
      onAttempt: (failure) => this.#judgeElection(failure),
    });
  }

  get leading(): boolean {
    return this.#elector.leading;
  }

  get leaseFault(): string | undefined {
    return this.#leaseFault;
  }

  get nameIsShared(): boolean {
    return this.#nameIsShared;
  }

  async run(signal: AbortSignal, listener: StoreListener): Promise<void> {
    this.#listener = listener;
    signal.addEventListener("abort", () => this.#endWrites(), { once: true });
    await Promise.all([
      ...[this.#masterKeys, this.#keyVersions, this.#keyAliases, this.#keyServers, this.#leases].map(
        (reflector) => reflector.run(signal),
      ),
      this.#heartbeat(signal),
      this.#elector.run(signal),
      this.#apiServers.run(signal),
    ]);
  }

  /** What is cut off is decided anew at the next start: every write may have happened or not, as with any crash. */
  #endWrites(): void {
    const reason = new Error("not answered before the stop, and given up; the next start decides anew");
    setTimeout(() => this.#writes.abort(reason), LAST_WRITES_MILLISECONDS).unref();
  }

  view(): View | undefined {
    if (this.#view !== undefined) return this.#view;
    const reflectors = [
      this.#masterKeys,
      this.#keyVersions,
      this.#keyAliases,
      this.#keyServers,
      this.#leases,
    ];
    if (!reflectors.every((reflector) => reflector.synced)) return undefined;
    this.#view = {
      masterKeys: this.#masterKeys.objects(),
      keyVersions: this.#keyVersions.objects(),
      keyAliases: this.#keyAliases.objects(),
      keyServers: this.#keyServers.objects(),
      keyVersionsUpTo: this.#keyVersions.resourceVersion ?? "",
      heardOf: this.#hearing.heardOf,
      nodeLeases: this.#nodeLeases,
      apiServers: this.#apiServers.heardOf,
    };
    return this.#view;
  }

  async fresh<K extends Kind>(kind: K, signal: AbortSignal): Promise<readonly ResourceOf[K][]> {
    // Without a resourceVersion the API server reads from etcd with quorum.
    const path = collectionPath(kind);
    const list = (await this.#client.request({ method: "GET", path, signal })) as {
      items: readonly ResourceOf[K][];
    };
    return list.items;
  }

  async isThere(kind: "KeyVersion", name: string, signal: AbortSignal): Promise<boolean> {
    const path = objectPath(kind, { name });
    // Also an object that our watch has not shown yet: metadata is enough.
    const accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
    try {
      await this.#client.request({ method: "GET", path, accept, signal });
    } catch (error) {
      if (error instanceof KubeError && error.httpStatus === 404) return false;
      throw error;
    }
    this.#keyVersions.expect({ name }, undefined);
    return true;
  }

  async applyStatus<K extends Kind>(object: ResourceOf[K], status: ResourceOf[K]["status"]): Promise<void> {
    const applied = await this.#applyStatus(object, status);
    await this.#correctStatus(applied, status ?? {});
  }

  /** If the whole is refused for what others have put beside it, that is taken out first. */
  async #applyStatus<K extends Kind>(object: ResourceOf[K], status: ResourceOf[K]["status"]) {
    try {
      return await this.#applyPart(object, status);
    } catch (error) {
      if (!isInvalid(error) || (await this.#correctStatus(object, status ?? {})) === undefined) throw error;
      return undefined;
    }
  }

  async #applyPart<K extends Kind>(object: ResourceOf[K], status: object | undefined): Promise<AnyResource> {
    const { kind, metadata } = object;
    const { name, namespace, uid, resourceVersion } = metadata;
    const apply: ApplyRequest = {
      path: `${objectPath(kind, metadata)}/status`,
      fieldManager: this.#fieldManager,
      object: {
        apiVersion: API_VERSION,
        kind,
        metadata: { name, uid, resourceVersion, ...(namespace !== undefined && { namespace }) },
        status,
      },
    };
    const applied = await this.#seen(kind, metadata, this.#apply(apply));
    // The API server answers with the object that was written.
    return applied as AnyResource;
  }

  /** Takes out of a stored status what is not wanted, whoever owns it. Returns the patch, if one was needed. */
  async #correctStatus(stored: AnyResource | undefined, wanted: object): Promise<object | undefined> {
    if (stored?.status === undefined) return undefined;
    const correction = statusCorrection(stored.status, wanted);
    if (correction === undefined) return undefined;
    const { uid, resourceVersion } = stored.metadata;
    await this.#write({
      method: "PATCH",
      path: `${objectPath(stored.kind, stored.metadata)}/status`,
      contentType: "application/merge-patch+json",
      body: { metadata: { uid, resourceVersion }, status: correction },
    });
    return correction;
  }

  async createKeyVersion(name: string, spec: KeyVersion["spec"]): Promise<void> {
    const body = { apiVersion: API_VERSION, kind: "KeyVersion", metadata: { name }, spec };
    const path = collectionPath("KeyVersion");
    await this.#seen("KeyVersion", { name }, this.#write({ method: "POST", path, body }));
  }

  replaceSeal(version: KeyVersion, seal: Seal): Promise<void> {
    return this.#patch(version, { spec: { seal, destroyed: null } });
  }

  destroyVersion(version: KeyVersion, destroyed: Destroyed): Promise<void> {
    return this.#patch(version, { spec: { seal: null, destroyed } });
  }

  setFinalizers(masterKey: MasterKey, finalizers: readonly string[]): Promise<void> {
    return this.#patch(masterKey, { metadata: { finalizers } });
  }

  setBinding(version: KeyVersion, { validTo, ownership }: Binding): Promise<void> {
    return this.#patch(version, { spec: { validTo: validTo ?? null, ownership: ownership ?? null } });
  }

  #write(call: KubeRequest): Promise<unknown> {
    return this.#client.request({ ...call, signal: this.#writes.signal });
  }

  #apply(call: ApplyRequest): Promise<unknown> {
    return this.#client.apply({ ...call, signal: this.#writes.signal });
  }

  /** Changes an object as it was seen; another change since is a Conflict. */
  async #patch({ kind, metadata }: MasterKey | KeyVersion, change: Patch): Promise<void> {
    const { uid, resourceVersion } = metadata;
    const patched = this.#write({
      method: "PATCH",
      path: objectPath(kind, metadata),
      contentType: "application/merge-patch+json",
      body: { ...change, metadata: { uid, resourceVersion, ...change.metadata } },
    });
    await this.#seen(kind, metadata, patched);
  }

  /**
   * What was written, or refused because it had changed, has to come by the watch. One that
   * stalls would have the same thing decided and written again and again.
   */
  async #seen(kind: Kind, metadata: Written, written: Promise<unknown>): Promise<unknown> {
    const { resourceVersion } = metadata;
    try {
      const answer = await written;
      const now = (answer as { readonly metadata?: { readonly resourceVersion?: string } } | undefined)
        ?.metadata;
      // A write that changes nothing makes no event.
      if (now?.resourceVersion !== resourceVersion) this.#reflectorOf(kind).expect(metadata, resourceVersion);
      return answer;
    } catch (error) {
      if (codeOf(error) === "Conflict") this.#reflectorOf(kind).expect(metadata, resourceVersion);
      throw error;
    }
  }

  #reflectorOf(kind: Kind): Pick<Reflector<AnyResource>, "expect"> {
    switch (kind) {
      case "MasterKey":
        return this.#masterKeys;
      case "KeyVersion":
        return this.#keyVersions;
      case "KeyAlias":
        return this.#keyAliases;
      case "KeyServer":
        return this.#keyServers;
    }
  }

  /** Of this node alone: `name` is its own. */
  reportKeyServer(_name: string, status: KeyServerStatus): Promise<void> {
    if (status.providers !== undefined) this.#nodeUid = status.nodeUid ?? "";
    return this.#report.say(status);
  }

  async #writeKeyServer(name: string, status: KeyServerStatus): Promise<void> {
    const path = objectPath("KeyServer", { name });
    const fieldManager = `claviger-node-${name}`;
    const object = { apiVersion: API_VERSION, kind: "KeyServer", metadata: { name } } as const;
    await this.#apply({ path, fieldManager, object });
    const before = this.#keyServers.objects().find(({ metadata }) => metadata.name === name)?.metadata;
    const apply = this.#apply({ path: `${path}/status`, fieldManager, object: { ...object, status } });
    const applied = await this.#seen("KeyServer", before ?? { name }, apply);
    await this.#correctStatus(applied as KeyServer, status);
  }

  /** Applied with nothing else: what one manager says no more stays where another has applied it too. */
  async setCondition(server: KeyServer, condition: Condition): Promise<void> {
    await this.#applyPart<"KeyServer">(server, { conditions: [condition] });
  }

  async deleteKeyServer({ metadata }: KeyServer): Promise<void> {
    const { uid, resourceVersion } = metadata;
    const body = { preconditions: { uid, resourceVersion } };
    await this.#write({ method: "DELETE", path: objectPath("KeyServer", metadata), body });
    this.#log("info", `KeyServer ${metadata.name} was deleted: its Node is gone`);
  }

  async deleteNodeLease({ node, lease }: NodeLease): Promise<void> {
    await deleteLease(this.#client, lease, this.#writes.signal);
    this.#log("info", `Lease ${lease.metadata.name} was deleted: the Node ${node} is gone`);
  }

  async recordEvent(object: ObjectRef, happened: ResourceEvent): Promise<void> {
    const event = this.#events.admit(object, happened, performance.now());
    if (event === undefined) return;
    logEvent(this.#log, object, event);
    const { kind, metadata } = object;
    const namespace = metadata.namespace ?? "default";
    const now = microTime(Date.now());
    const body = {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name: `${metadata.name.slice(0, 200)}.${randomBytes(8).toString("hex")}`, namespace },
      eventTime: now,
      reportingController: "claviger.dev/operator",
      reportingInstance: this.#config.nodeName.slice(0, 128),
      action: event.reason,
      reason: event.reason,
      type: event.type,
      note: noteOf(event.message),
      regarding: { apiVersion: API_VERSION, kind, ...metadata },
    };
    try {
      await this.#write({
        method: "POST",
        path: `/apis/events.k8s.io/v1/namespaces/${namespace}/events`,
        body,
      });
    } catch (error) {
      this.#log(
        "warn",
        `event ${event.reason} of ${kind} ${metadata.name} was not recorded: ${messageOf(error)}`,
      );
    }
  }

  askApiServer(signal: AbortSignal): Promise<ApiServerWord> {
    return askApiServer(this.#client, signal);
  }

  serverTime(signal: AbortSignal): Promise<number> {
    return this.#client.serverTime(signal);
  }

  nodeClocks(wall: number, uptime: number): NodeClocks | undefined {
    if (!this.#leases.synced || !this.#keyServers.synced) return undefined;
    // A node makes its KeyServer before its first Lease.
    const nodes = new Set(this.#keyServers.objects().map(({ metadata }) => metadata.name));
    return this.#leaseClocks.at(wall, uptime, nodes);
  }

  async nodeUid(name: string, signal: AbortSignal): Promise<string | undefined> {
    try {
      const node = await this.#client.request({ method: "GET", path: `/api/v1/nodes/${name}`, signal });
      return (node as { readonly metadata: { readonly uid: string } }).metadata.uid;
    } catch (error) {
      if (error instanceof KubeError && error.httpStatus === 404) return undefined;
      throw error;
    }
  }

  #reflect<K extends Kind>(kind: K): Reflector<ResourceOf[K]> {
    return new Reflector<ResourceOf[K]>({
      client: this.#client,
      path: collectionPath(kind),
      log: this.#log,
      // The API server names kind and apiVersion in each item of a list of custom resources.
      onChange: (object) => this.#changed(object),
      onSynced: () => this.#synced(),
    });
  }

  /** What was told before the view was complete could not be worked on. */
  #synced(): void {
    if (this.view() !== undefined) this.#listener?.onBegin();
  }

  #changed(object: Change): void {
    this.#view = undefined;
    this.#listener?.onChange(object);
  }

  #hear(lease: Lease, event: "set" | "deleted"): void {
    const record = nodeLeaseFrom(lease);
    if (record === undefined) return;
    const { node } = record;
    if (event === "set") this.#nodeLeases.set(node, record);
    else this.#nodeLeases.delete(node);
    if (node !== this.#config.nodeName) this.#compareClock(node, lease, event);
    if (event === "deleted") {
      this.#hearing.forget(node);
      return;
    }
    const arrival = { now: Date.now(), came: performance.now() };
    this.#hearing.hear(node, parseTime(lease.spec?.renewTime), arrival);
  }

  #compareClock(node: string, { spec }: Lease, event: "set" | "deleted"): void {
    if (event === "deleted") this.#leaseClocks.forget(node);
    else this.#leaseClocks.hear(node, spec?.renewTime, performance.now());
  }

  /**
   * Renews this node's Lease. Only after this process has reported: a fresh Lease
   * says that the KeyServer is true, and what a former life reported as prepared
   * may be lost. And only while its report can be written, which is tried now and then.
   */
  async #heartbeat(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    signal.addEventListener("abort", () => this.#report.giveUp(), { once: true });
    await this.#report.first;
    const trouble = new ToldOnce(this.#log);
    let failures = 0;
    while (!signal.aborted) {
      let pause = this.#heartbeatMilliseconds;
      try {
        // Two operators of one name would overwrite one another.
        if (!this.#nameIsShared) await this.#report.prove();
        const ref = markedNodeLease(this.#config, this.#nodeUid);
        const lease = await readLease(this.#client, ref, signal);
        this.#watchName(lease?.spec?.holderIdentity, lease?.metadata.resourceVersion);
        const spec = {
          holderIdentity: this.#instance,
          leaseDurationSeconds: NODE_LEASE_SECONDS,
          renewTime: microTime(this.#wall()),
        };
        await writeLease(this.#client, ref, lease, spec, signal);
        this.#leases.expect(ref, lease?.metadata.resourceVersion);
        trouble.end("this node's Lease is renewed again");
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        const delay = Math.min(MAX_RETRY_MILLISECONDS, RETRY_MILLISECONDS * 2 ** failures);
        // The Lease has to be tried several times within the 40 s for which it is believed.
        pause = Math.max(delay, Math.min(retryAfterOf(error), this.#heartbeatMilliseconds));
        failures += 1;
        if (!(await this.#madeNamespace(error, signal)))
          trouble.meet(`this node's Lease was not renewed: ${messageOf(error)}`);
      }
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }

  #watchName(holder: string | undefined, renewal: string | undefined): void {
    const shared = this.#nameWatch.saw(holder, renewal);
    if (shared === this.#nameIsShared) return;
    this.#nameIsShared = shared;
    const { nodeName } = this.#config;
    if (shared) {
      this.#log(
        "error",
        `another operator runs as node ${nodeName}: give one of the two a nodeName of its own and restart it`,
      );
    } else this.#log("info", `no other operator runs as node ${nodeName} any more`);
    this.#listener?.onBegin();
  }

  /** An API server that gives no answer is another matter than one that refuses the Lease. Never rejects. */
  async #judgeElection(failure: unknown): Promise<void> {
    if (failure !== undefined && !isLeaseRefused(failure)) return;
    try {
      const fault = failure === undefined ? undefined : await this.#faultOfLease(failure);
      if (fault === this.#leaseFault) return;
      this.#leaseFault = fault;
      this.#listener?.onBegin();
    } catch (error) {
      this.#log(
        "warn",
        `Namespace ${this.#config.leaseNamespace} could not be looked at: ${messageOf(error)}`,
      );
    }
  }

  async #faultOfLease(failure: KubeError): Promise<string> {
    const { leaseNamespace } = this.#config;
    const state = await namespaceState(this.#client, leaseNamespace, this.#writes.signal);
    if (state === "terminating") await this.#letGo(leaseNamespace);
    return leaseFault(leaseNamespace, state, failure.message);
  }

  async #letGo(namespace: string): Promise<void> {
    for (const key of heldByNobody(this.#masterKeys.objects(), namespace)) {
      const { name, finalizers = [] } = key.metadata;
      const others = finalizers.filter((finalizer) => finalizer !== FINALIZER);
      try {
        await atWritePoint("masterkey.finalizers", () => this.setFinalizers(key, others));
        this.#log(
          "warn",
          `MasterKey ${namespace}/${name} was let go: its Namespace is being deleted, and nobody can lead there; its versions stay, and a MasterKey of the same name takes them up`,
        );
      } catch (error) {
        // Another node's operator was faster, or the object has changed: the next attempt sees it.
        if (codeOf(error) !== "Conflict" && codeOf(error) !== "NotFound") throw error;
      }
    }
  }

  /** On a new cluster the Leases' namespace may not exist yet. Returns whether it was made now. */
  async #madeNamespace(error: unknown, signal: AbortSignal): Promise<boolean> {
    if (!(error instanceof KubeError) || error.httpStatus !== 404) return false;
    const { leaseNamespace: name } = this.#config;
    const body = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
    try {
      await this.#client.request({ method: "POST", path: "/api/v1/namespaces", body, signal });
      this.#log("info", `namespace ${name} was made for claviger's Leases`);
      return true;
    } catch (cause) {
      // Another node's operator was faster.
      return cause instanceof KubeError && cause.httpStatus === 409;
    }
  }
}
