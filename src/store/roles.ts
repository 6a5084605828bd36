import type { ApiServerWord } from "../kube/api-server-metrics.ts";
import type { ObjectName } from "../names.ts";
import type { Binding, Seal } from "../resources/key-version-rows.ts";
import type { KeyGrant, KeyServer, KeyVersion, Kind, MasterKey, ResourceOf } from "../resources/resources.ts";
import type { Destroyed } from "../resources/schemas/deletion.ts";
import type { Condition } from "../resources/schemas/fields.ts";
import type { KeyServerStatus } from "../resources/schemas/key-server.ts";
import type { StoredObjects } from "../storage/stored-objects.ts";
import type { NodeClocks } from "./nodes/lease-clocks.ts";
import type { NodeLease } from "./nodes/node-leases.ts";
import type { Change, View } from "./view.ts";

/**
 * The roles of a store of custom resources: each user asks for the roles that it uses. A write that names an
 * object names it as it was at the decision, and throws Conflict if the object has changed since.
 */

/** The latest view of the resources. */
export interface Resources {
  /** Returns the latest view; undefined until the first one is complete. */
  view(): View | undefined;
}

/** Reports changes. */
export interface Following {
  /** Follows the resources, and takes part in the election if there are other operators, until aborted. */
  run(signal: AbortSignal, listener: StoreListener): Promise<void>;
}

export interface StoreListener {
  /** Called after every change of the view. */
  onChange(change: Change): void;
  /**
   * Called when the first view is complete, when this operator begins to lead, and when `nameIsShared` or
   * `leaseFault` changes: look at everything.
   */
  onBegin(): void;
}

/** Reads past every cache. */
export interface FreshObjects {
  /** Reads all objects of a kind, for a decision that must not miss any or that cannot be undone. */
  fresh<K extends Kind>(kind: K, signal: AbortSignal): Promise<readonly ResourceOf[K][]>;
}

/** Looks a KeyVersion up by its name, past every cache. */
export interface KeyVersionLookup {
  isThere(kind: "KeyVersion", name: string, signal: AbortSignal): Promise<boolean>;
}

export interface Leadership {
  /** True if this operator decides for the whole cluster at this moment. */
  readonly leading: boolean;
}

export interface StatusWrites {
  applyStatus<K extends Kind>(object: ResourceOf[K], status: ResourceOf[K]["status"]): Promise<void>;
}

export interface FinalizerWrites {
  /** Holds a MasterKey back from its deletion, or releases it. */
  setFinalizers(masterKey: MasterKey, finalizers: readonly string[]): Promise<void>;
}

export interface KeyVersionCreation {
  /** Throws Conflict if the name exists. */
  createKeyVersion(name: string, spec: KeyVersion["spec"]): Promise<void>;
}

export interface SealWrites {
  /** Replaces a KeyVersion's seal, which is mutable like its validTo. */
  replaceSeal(version: KeyVersion, seal: Seal): Promise<void>;
}

export interface BindingWrites {
  /** Replaces the fields that a KeyVersion's seal does not bind: validTo of imported material, and the ownership proof. */
  setBinding(version: KeyVersion, binding: Binding): Promise<void>;
}

export interface TombstoneWrites {
  /** Removes the seal for ever and puts a tombstone in its place. */
  destroyVersion(version: KeyVersion, destroyed: Destroyed): Promise<void>;
}

/** All writes to the spec of a KeyVersion. */
export interface VersionWrites extends KeyVersionCreation, SealWrites, BindingWrites, TombstoneWrites {}

/** This node's own report, and the reasons why nobody may believe it. */
export interface OwnReport {
  /** True if another operator runs under this node's name: its reports pass for this node's. */
  readonly nameIsShared: boolean;
  /** The reason why no operator can lead at the moment, if the API server refuses the Lease for that. */
  readonly leaseFault?: string | undefined;
  /** Creates or updates this node's own KeyServer. The first report also starts the node's heartbeat, if it has one. */
  reportKeyServer(name: string, status: KeyServerStatus): Promise<void>;
}

/**
 * The KeyGrants. They are followed apart from the view: if their CRD or the right to read them is missing,
 * keys continue to be looked after.
 */
export interface KeyGrants {
  /** Returns all KeyGrants; undefined until they were read for the first time. */
  keyGrants(): readonly KeyGrant[] | undefined;
  keyGrant(name: ObjectName): KeyGrant | undefined;
}

/** A user as an API server authenticated them. */
export interface Grantor {
  readonly user: string;
  readonly groups: readonly string[];
}

/** The admission policy that keeps `spec.grantedBy` of KeyGrants true. */
export type GrantGuard =
  /** `since` is in epoch milliseconds, by the API server's clock: KeyGrants that are older were not guarded. */
  | { readonly kind: "in-force"; readonly since: number }
  | { readonly kind: "missing"; readonly message: string };

/** Checks of KeyGrants before they are accepted. The methods are absent if there is no API server. */
export interface GrantReviews {
  /** Asks RBAC if a user may grant a MasterKey. Rejects if it does not answer. */
  mayGrant?(grantor: Grantor, masterKey: ObjectName, signal: AbortSignal): Promise<boolean>;
  grantGuard?(signal: AbortSignal): Promise<GrantGuard>;
}

/** Removes KeyGrants that ended long ago. The method is absent if a person has to do it, in a folder of manifests. */
export interface KeyGrantRemoval {
  deleteKeyGrant?(grant: KeyGrant): Promise<void>;
}

/** The Node objects of the cluster. */
export interface ClusterNodes {
  /** Returns the uid of the Node of that name; undefined if there is none. */
  nodeUid(name: string, signal: AbortSignal): Promise<string | undefined>;
}

/** The records of other nodes, as far as the leader writes them. */
export interface NodeRecordWrites {
  /** Sets one condition of a node's KeyServer; the rest of its status stays the node's own. */
  setCondition(server: KeyServer, condition: Condition): Promise<void>;
  deleteKeyServer(server: KeyServer): Promise<void>;
  /** Deletes the Lease of a node that is gone. Throws Conflict if it was renewed since. The method is absent if there is no API server. */
  deleteNodeLease?(lease: NodeLease): Promise<void>;
}

/** The clocks of the API server and of the other nodes, for comparison with this node's clock. */
export interface OtherClocks {
  /**
   * Returns the API server's clock, in epoch milliseconds; undefined if there is none. Rejects if it does not
   * answer.
   */
  serverTime(signal: AbortSignal): Promise<number | undefined>;
  /**
   * Returns the other nodes' clocks, at this time of our wall clock and uptime; undefined until
   * their Leases are known. The method is absent if there is no API server.
   */
  nodeClocks?(wall: number, uptime: number): NodeClocks | undefined;
}

/** The API server next to this operator. */
export interface OwnApiServer {
  /**
   * Asks this node's API server about itself. The method is absent if there is none. Throws KubeError or
   * ApiServer.
   */
  askApiServer?(signal: AbortSignal): Promise<ApiServerWord>;
}

/** The data that API servers stored under the keys. */
export interface StoredData {
  readonly storedObjects: StoredObjects;
}
