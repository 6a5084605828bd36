import type { NodeConfig } from "../../config/config.ts";
import { reviewAccess } from "../../kube/access-review.ts";
import { type ApiServerWord, askApiServer } from "../../kube/api-server-metrics.ts";
import { KubeClient } from "../../kube/client.ts";
import { LeaderElector } from "../../kube/leader-election.ts";
import { deleteLease } from "../../kube/leases.ts";
import { collectionPath, objectPath } from "../../kube/paths.ts";
import type { Log } from "../../log.ts";
import type { ObjectName } from "../../names.ts";
import type { Binding, Seal } from "../../resources/key-version-rows.ts";
import {
  API_VERSION,
  type KeyGrant,
  type KeyServer,
  type KeyVersion,
  type Kind,
  type MasterKey,
  type ResourceOf,
} from "../../resources/resources.ts";
import type { Destroyed } from "../../resources/schemas/deletion.ts";
import type { Condition } from "../../resources/schemas/fields.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import type { StoredObjects } from "../../storage/stored-objects.ts";
import type { ObjectRef, ResourceEvent } from "../events.ts";
import { Heartbeat } from "../nodes/heartbeat.ts";
import type { NodeClocks } from "../nodes/lease-clocks.ts";
import { LEADER_LEASE, type NodeLease, nodeLeaseOf } from "../nodes/node-leases.ts";
import { NodeReport } from "../nodes/node-report.ts";
import type { ResourceStore } from "../resource-store.ts";
import type { GrantGuard, Grantor, StoreListener } from "../roles.ts";
import type { View } from "../view.ts";
import { ElectionFault } from "./election-fault.ts";
import { EventRecorder } from "./event-recorder.ts";
import { hasKeyVersion, nodeUid, readAll } from "./fresh-reads.ts";
import { readGrantGuard } from "./grant-guard.ts";
import { KubeStoredObjects } from "./kube-stored-objects.ts";
import { ObjectWriter } from "./object-writer.ts";
import { ResourceWatch } from "./resource-watch.ts";
import { StatusWriter } from "./status-writer.ts";

/** The custom resources of an API server. */
export class KubeStore implements ResourceStore {
  readonly #client: KubeClient;
  readonly storedObjects: StoredObjects;
  readonly #log: Log;
  readonly #watch: ResourceWatch;
  readonly #writer: ObjectWriter;
  readonly #statuses: StatusWriter;
  readonly #events: EventRecorder;
  readonly #report: NodeReport;
  readonly #heartbeat: Heartbeat;
  readonly #fault: ElectionFault;
  readonly #elector: LeaderElector;
  #listener: StoreListener | undefined;

  constructor(
    config: NodeConfig,
    kubeconfigPath: string,
    log: Log,
    {
      heartbeatMilliseconds,
      wall = () => Date.now(),
    }: { readonly heartbeatMilliseconds?: number; readonly wall?: () => number } = {},
  ) {
    const client = new KubeClient(kubeconfigPath);
    const { nodeName, leaseNamespace } = config;
    const onBegin = () => this.#listener?.onBegin();
    this.#client = client;
    this.#log = log;
    this.storedObjects = new KubeStoredObjects(client, config, nodeLeaseOf(config));
    this.#watch = new ResourceWatch(client, config, log);
    this.#writer = new ObjectWriter(client, (kind, object, resourceVersion) =>
      this.#watch.expect(kind, object, resourceVersion),
    );
    this.#statuses = new StatusWriter(this.#writer);
    this.#events = new EventRecorder({ writer: this.#writer, nodeName, log });
    this.#report = new NodeReport((status) =>
      this.#statuses.applyKeyServer(nodeName, status, () => this.#watch.keyServer(nodeName)),
    );
    this.#heartbeat = new Heartbeat({
      ...{ client, config, log, wall, report: this.#report, leases: this.#watch.leases },
      onNameShared: onBegin,
      milliseconds: heartbeatMilliseconds,
    });
    this.#fault = new ElectionFault({
      ...{ client, leaseNamespace, log, onChange: onBegin, signal: this.#writer.signal },
      masterKeys: () => this.#watch.masterKeys(),
      setFinalizers: (key, finalizers) => this.setFinalizers(key, finalizers),
    });
    this.#elector = new LeaderElector({
      client,
      ref: { namespace: leaseNamespace, name: LEADER_LEASE },
      // There is one operator per state folder (its lock ensures it), so the node's name is a unique
      // identity.
      identity: nodeName,
      log,
      onChange: (leading) => leading && onBegin(),
      onAttempt: (failure) => this.#fault.judge(failure),
    });
  }

  get leading(): boolean {
    return this.#elector.leading;
  }

  get leaseFault(): string | undefined {
    return this.#fault.text;
  }

  get nameIsShared(): boolean {
    return this.#heartbeat.nameIsShared;
  }

  async run(signal: AbortSignal, listener: StoreListener): Promise<void> {
    this.#listener = listener;
    this.#writer.endAfter(signal);
    await Promise.all([
      this.#watch.run(signal, listener),
      this.#heartbeat.run(signal),
      this.#elector.run(signal),
    ]);
  }

  view(): View | undefined {
    return this.#watch.view();
  }

  keyGrants(): readonly KeyGrant[] | undefined {
    return this.#watch.keyGrants();
  }

  keyGrant(name: ObjectName): KeyGrant | undefined {
    return this.#watch.keyGrant(name);
  }

  mayGrant(grantor: Grantor, masterKey: ObjectName, signal: AbortSignal): Promise<boolean> {
    return reviewAccess(this.#client, { ...grantor, verb: "grant", ...masterKey }, signal);
  }

  grantGuard(signal: AbortSignal): Promise<GrantGuard> {
    return readGrantGuard(this.#client, signal);
  }

  async deleteKeyGrant({ metadata }: KeyGrant): Promise<void> {
    const { uid, resourceVersion } = metadata;
    const body = { preconditions: { uid, resourceVersion } };
    await this.#writer.write({ method: "DELETE", path: objectPath("KeyGrant", metadata), body });
  }

  fresh<K extends Kind>(kind: K, signal: AbortSignal): Promise<readonly ResourceOf[K][]> {
    return readAll(this.#client, kind, signal);
  }

  async isThere(kind: "KeyVersion", name: string, signal: AbortSignal): Promise<boolean> {
    const isThere = await hasKeyVersion(this.#client, name, signal);
    if (isThere) this.#watch.expect(kind, { name }, undefined);
    return isThere;
  }

  applyStatus<K extends Kind>(object: ResourceOf[K], status: ResourceOf[K]["status"]): Promise<void> {
    return this.#statuses.apply(object, status);
  }

  async createKeyVersion(name: string, spec: KeyVersion["spec"]): Promise<void> {
    const body = { apiVersion: API_VERSION, kind: "KeyVersion", metadata: { name }, spec };
    const path = collectionPath("KeyVersion");
    await this.#writer.shown("KeyVersion", { name }, this.#writer.write({ method: "POST", path, body }));
  }

  replaceSeal(version: KeyVersion, seal: Seal): Promise<void> {
    return this.#writer.patch(version, { spec: { seal, destroyed: null } });
  }

  destroyVersion(version: KeyVersion, destroyed: Destroyed): Promise<void> {
    return this.#writer.patch(version, { spec: { seal: null, destroyed } });
  }

  setFinalizers(masterKey: MasterKey, finalizers: readonly string[]): Promise<void> {
    return this.#writer.patch(masterKey, { metadata: { finalizers } });
  }

  setBinding(version: KeyVersion, { validTo, ownership }: Binding): Promise<void> {
    return this.#writer.patch(version, { spec: { validTo: validTo ?? null, ownership: ownership ?? null } });
  }

  /** Writes only this node's own KeyServer, so the name is not used. */
  reportKeyServer(_name: string, status: KeyServerStatus): Promise<void> {
    if (status.providers !== undefined) this.#heartbeat.nodeUid = status.nodeUid ?? "";
    return this.#report.say(status);
  }

  async setCondition(server: KeyServer, condition: Condition): Promise<void> {
    await this.#statuses.applyPart<"KeyServer">(server, { conditions: [condition] });
  }

  async deleteKeyServer({ metadata }: KeyServer): Promise<void> {
    const { uid, resourceVersion } = metadata;
    const body = { preconditions: { uid, resourceVersion } };
    await this.#writer.write({ method: "DELETE", path: objectPath("KeyServer", metadata), body });
    this.#log("info", `KeyServer ${metadata.name} was deleted: its Node is gone`);
  }

  async deleteNodeLease({ node, lease }: NodeLease): Promise<void> {
    await deleteLease(this.#client, lease, this.#writer.signal);
    this.#log("info", `Lease ${lease.metadata.name} was deleted: the Node ${node} is gone`);
  }

  recordEvent(object: ObjectRef, event: ResourceEvent): Promise<void> {
    return this.#events.record(object, event);
  }

  askApiServer(signal: AbortSignal): Promise<ApiServerWord> {
    return askApiServer(this.#client, signal);
  }

  serverTime(signal: AbortSignal): Promise<number> {
    return this.#client.serverTime(signal);
  }

  nodeClocks(wall: number, uptime: number): NodeClocks | undefined {
    return this.#watch.nodeClocks(wall, uptime);
  }

  nodeUid(name: string, signal: AbortSignal): Promise<string | undefined> {
    return nodeUid(this.#client, name, signal);
  }
}
