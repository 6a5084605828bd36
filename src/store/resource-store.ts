import type { ApiServerWord } from "../kube/api-server-metrics.ts";
import type { Destroyed } from "../resources/deletion-schema.ts";
import type { Binding, Seal } from "../resources/key-version-rows.ts";
import type {
  Condition,
  KeyAlias,
  KeyServer,
  KeyServerStatus,
  KeyVersion,
  Kind,
  MasterKey,
  ObjectMeta,
  ResourceOf,
} from "../resources/resources.ts";
import type { StoredObjects } from "../storage/stored-objects.ts";
import type { NodeClocks } from "./lease-clocks.ts";
import type { NodeLease } from "./node-leases.ts";

/** The custom resources of one moment, and who was heard of when. */
export interface View {
  readonly masterKeys: readonly MasterKey[];
  readonly keyVersions: readonly KeyVersion[];
  readonly keyAliases: readonly KeyAlias[];
  readonly keyServers: readonly KeyServer[];
  /** Every KeyVersion up to this resourceVersion is in `keyVersions`. */
  readonly keyVersionsUpTo: string;
  /** When each node's operator last renewed its Lease, by this process's clock (epoch milliseconds). */
  readonly heardOf: ReadonlyMap<string, number>;
  /** The Leases of the nodes, by node; absent if there is no API server. */
  readonly nodeLeases?: ReadonlyMap<string, NodeLease>;
  /** When each API server of the cluster last renewed its own Lease, by its identity; absent if there is no API server. */
  readonly apiServers?: ReadonlyMap<string, number>;
}

/** An object that was made, changed or deleted. */
export type Change = MasterKey | KeyVersion | KeyAlias | KeyServer;

/** What happened to an object, for `kubectl describe` or the log. */
export interface ResourceEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

/** The object an event is about. */
export interface ObjectRef {
  readonly kind: Kind;
  readonly metadata: Pick<ObjectMeta, "name" | "namespace" | "uid" | "resourceVersion">;
}

export interface StoreListener {
  /** Called after every change of the view. */
  onChange(change: Change): void;
  /** Called when the first view is complete, when this operator begins to lead, and when `nameIsShared` or `leaseFault` changes: look at everything. */
  onBegin(): void;
}

/**
 * Where the operator finds the custom resources and writes what it decided: an
 * API server (kube-store.ts), or a folder of manifests with a SQLite file beside
 * it (manifest-store.ts).
 *
 * Writes of status name the object as it was when the decision was made and
 * throw Conflict where it has changed since.
 */
export interface ResourceStore {
  /** Follows the resources, and stands for election where there are others, until aborted. */
  run(signal: AbortSignal, listener: StoreListener): Promise<void>;
  /** Whether this operator decides for all at this moment. */
  readonly leading: boolean;
  /** Whether another operator runs under this node's name: what it reports passes for this node's. */
  readonly nameIsShared: boolean;
  /** Why no operator can lead at the moment, if the API server refuses it the Lease for that. */
  readonly leaseFault?: string | undefined;
  /** What API servers stored under the keys. */
  readonly storedObjects: StoredObjects;
  /** The latest view; undefined until the first one is complete. */
  view(): View | undefined;
  /** Reads KeyServers past every cache, for the one decision that must not miss a node. */
  freshKeyServers(signal: AbortSignal): Promise<readonly KeyServer[]>;
  /** Reads all objects of a kind past every cache, for the decision that cannot be undone. */
  fresh<K extends Kind>(kind: K, signal: AbortSignal): Promise<readonly ResourceOf[K][]>;
  /** Whether there is an object of that name, read past every cache. */
  isThere(kind: "KeyVersion", name: string, signal: AbortSignal): Promise<boolean>;
  applyStatus<K extends Kind>(object: ResourceOf[K], status: ResourceOf[K]["status"]): Promise<void>;
  /** Throws Conflict where the name exists. */
  createKeyVersion(name: string, spec: KeyVersion["spec"]): Promise<void>;
  /** Replaces a KeyVersion's seal, which is mutable as its validTo is. */
  replaceSeal(version: KeyVersion, seal: Seal): Promise<void>;
  /** Takes the seal away for ever and puts a tombstone in its place. */
  destroyVersion(version: KeyVersion, destroyed: Destroyed): Promise<void>;
  /** Holds a MasterKey back from its deletion, or lets it go. */
  setFinalizers(masterKey: MasterKey, finalizers: readonly string[]): Promise<void>;
  /** Replaces what a KeyVersion's seal does not bind: until when imported material may be used, and the proof of that and of its owner. */
  setBinding(version: KeyVersion, binding: Binding): Promise<void>;
  /** Makes or updates this node's own KeyServer. The first one also begins the node's heartbeat, where there is one. */
  reportKeyServer(name: string, status: KeyServerStatus): Promise<void>;
  /** Sets one condition of a node's KeyServer; the rest of its status stays the node's own. */
  setCondition(server: KeyServer, condition: Condition): Promise<void>;
  deleteKeyServer(server: KeyServer): Promise<void>;
  /** Deletes the Lease of a node that is gone. Throws Conflict if it was renewed since. The method is absent if there is no API server. */
  deleteNodeLease?(lease: NodeLease): Promise<void>;
  /** Logs it, and records it if there is a place for it: best effort, and bounded for each object and namespace. */
  recordEvent(object: ObjectRef, event: ResourceEvent): Promise<void>;
  /** The API server's clock, in epoch milliseconds; undefined if there is none. Rejects if it does not say. */
  serverTime(signal: AbortSignal): Promise<number | undefined>;
  /**
   * The other nodes' clocks, at this time of our wall clock and uptime; undefined until their
   * Leases are known. The method is absent if there is no API server.
   */
  nodeClocks?(wall: number, uptime: number): NodeClocks | undefined;
  /** What this node's API server says of itself. The method is absent if there is none. Throws KubeError or ApiServer. */
  askApiServer?(signal: AbortSignal): Promise<ApiServerWord>;
  /** The uid of the Node object of that name; undefined where there is none. */
  nodeUid(name: string, signal: AbortSignal): Promise<string | undefined>;
}
