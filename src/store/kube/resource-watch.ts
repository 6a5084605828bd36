import type { NodeConfig } from "../../config/config.ts";
import type { KubeClient } from "../../kube/client.ts";
import { collectionPath } from "../../kube/paths.ts";
import { Reflector } from "../../kube/reflector.ts";
import type { Log } from "../../log.ts";
import type { ObjectName } from "../../names.ts";
import type {
  AnyResource,
  KeyAlias,
  KeyGrant,
  KeyServer,
  KeyVersion,
  Kind,
  MasterKey,
  ObjectMeta,
  ResourceOf,
} from "../../resources/resources.ts";
import type { NodeClocks } from "../nodes/lease-clocks.ts";
import { NodeLeaseWatch } from "../nodes/node-lease-watch.ts";
import type { StoreListener } from "../roles.ts";
import type { Change, View } from "../view.ts";
import { ApiServerLeases } from "./api-server-leases.ts";
import type { Written } from "./object-writer.ts";

/** Follows the custom resources and the nodes' Leases, and makes one view of them. */
export class ResourceWatch {
  readonly #client: KubeClient;
  readonly #log: Log;
  readonly #masterKeys: Reflector<MasterKey>;
  readonly #keyVersions: Reflector<KeyVersion>;
  readonly #keyAliases: Reflector<KeyAlias>;
  readonly #keyServers: Reflector<KeyServer>;
  readonly #keyGrants: Reflector<KeyGrant>;
  readonly leases: NodeLeaseWatch;
  readonly #apiServers: ApiServerLeases;
  #listener: StoreListener | undefined;
  #view: View | undefined;

  constructor(client: KubeClient, config: NodeConfig, log: Log) {
    this.#client = client;
    this.#log = log;
    this.#masterKeys = this.#reflect("MasterKey");
    this.#keyVersions = this.#reflect("KeyVersion");
    this.#keyAliases = this.#reflect("KeyAlias");
    this.#keyServers = this.#reflect("KeyServer");
    this.#keyGrants = this.#reflect("KeyGrant");
    this.leases = new NodeLeaseWatch({ client, config, log, onSynced: () => this.#synced() });
    this.#apiServers = new ApiServerLeases(client, log);
  }

  /** Runs until aborted. */
  async run(signal: AbortSignal, listener: StoreListener): Promise<void> {
    this.#listener = listener;
    await Promise.all(
      [...this.#followed, this.#keyGrants, this.#apiServers].map((followed) => followed.run(signal)),
    );
  }

  /** Returns the latest view; undefined until everything has been listed once. */
  view(): View | undefined {
    if (this.#view !== undefined) return this.#view;
    if (!this.#followed.every(({ synced }) => synced)) return undefined;
    this.#view = {
      masterKeys: this.#masterKeys.objects(),
      keyVersions: this.#keyVersions.objects(),
      keyAliases: this.#keyAliases.objects(),
      keyServers: this.#keyServers.objects(),
      keyVersionsUpTo: this.#keyVersions.resourceVersion ?? "",
      heardOf: this.leases.heardOf,
      nodeLeases: this.leases.leases,
      apiServers: this.#apiServers.heardOf,
    };
    return this.#view;
  }

  /** Lists a kind again unless its watch soon shows that an object has changed since this resourceVersion. */
  expect(kind: Kind, object: Written, resourceVersion: string | undefined): void {
    this.#reflectorOf(kind).expect(object, resourceVersion);
  }

  /** Returns the MasterKeys that are known, also before the view is complete. */
  masterKeys(): readonly MasterKey[] {
    return this.#masterKeys.objects();
  }

  keyGrants(): readonly KeyGrant[] | undefined {
    return this.#keyGrants.synced ? this.#keyGrants.objects() : undefined;
  }

  keyGrant(name: ObjectName): KeyGrant | undefined {
    return this.#keyGrants.get(name);
  }

  /** Returns the metadata of a KeyServer as it was last seen. */
  keyServer(name: string): ObjectMeta | undefined {
    return this.#keyServers.objects().find(({ metadata }) => metadata.name === name)?.metadata;
  }

  /** Returns the other nodes' clocks; undefined until their Leases and KeyServers are known. */
  nodeClocks(wall: number, uptime: number): NodeClocks | undefined {
    if (!this.leases.synced || !this.#keyServers.synced) return undefined;
    // A node creates its KeyServer before its first Lease.
    const nodes = new Set(this.#keyServers.objects().map(({ metadata }) => metadata.name));
    return this.leases.clocks(wall, uptime, nodes);
  }

  get #followed() {
    return [this.#masterKeys, this.#keyVersions, this.#keyAliases, this.#keyServers, this.leases];
  }

  #reflectorOf(kind: Kind): Pick<Reflector<AnyResource>, "expect"> {
    switch (kind) {
      case "MasterKey":
        return this.#masterKeys;
      case "KeyVersion":
        return this.#keyVersions;
      case "KeyAlias":
        return this.#keyAliases;
      case "KeyGrant":
        return this.#keyGrants;
      case "KeyServer":
        return this.#keyServers;
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

  /** Changes that arrived before the view was complete could not be handled. */
  #synced(): void {
    if (this.view() !== undefined) this.#listener?.onBegin();
  }

  #changed(object: Change): void {
    // Nothing in the view comes from a KeyGrant, and a key may have very many.
    if (object.kind !== "KeyGrant") this.#view = undefined;
    this.#listener?.onChange(object);
  }
}
