import { ClavigerError } from "../../errors.ts";
import type { ObjectTable } from "../../keyring/tables/objects.ts";
import type { Log } from "../../log.ts";
import type { ObjectName } from "../../names.ts";
import type { Binding, Seal } from "../../resources/key-version-rows.ts";
import {
  type AnyResource,
  API_VERSION,
  type KeyGrant,
  type KeyServer,
  type KeyVersion,
  type Kind,
  type ResourceOf,
} from "../../resources/resources.ts";
import type { Destroyed } from "../../resources/schemas/deletion.ts";
import type { Condition } from "../../resources/schemas/fields.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import type { StoredObjects } from "../../storage/stored-objects.ts";
import { EventLimiter } from "../event-limiter.ts";
import type { ObjectRef, ResourceEvent } from "../events.ts";
import { logEvent } from "../log-event.ts";
import type { ResourceStore } from "../resource-store.ts";
import type { StoreListener } from "../roles.ts";
import type { View } from "../view.ts";
import { FolderFollower } from "./folder-follower.ts";
import { KeptObjects, keyOf, newMetadata } from "./kept-objects.ts";

/**
 * Standalone mode's resources: specs from a folder of manifests, everything else (status, KeyVersions, the
 * KeyServer) in the keyring's own file.
 *
 * It does the work of an API server: defaults, schema, rules about changes, uid, generation, resourceVersion.
 */
export class ManifestStore implements ResourceStore {
  readonly #nodeName: string;
  readonly #log: Log;
  readonly #events = new EventLimiter();
  readonly #objects: KeptObjects;
  readonly #folder: FolderFollower;
  #listener: StoreListener | undefined;
  #view: View | undefined;

  constructor(options: {
    readonly folder: string;
    readonly nodeName: string;
    readonly objects: ObjectTable;
    readonly log: Log;
    /** Counts as StoredObjects does. No API server can tell whose etcd it is. */
    readonly countAll: StoredObjects["countAll"];
  }) {
    const { folder, log, countAll } = options;
    this.#nodeName = options.nodeName;
    this.#log = log;
    this.storedObjects = { rewrite: unreachable, count: unreachable, countAll };
    this.#objects = new KeptObjects(options.objects, (object) => this.#changed(object));
    const onUnchanged = (object: AnyResource) => this.#listener?.onChange(object);
    this.#folder = new FolderFollower({ folder, objects: this.#objects, log, onUnchanged });
    // A node that was renamed is still the only node.
    for (const server of this.#objects.ofKind("KeyServer"))
      if (server.metadata.name !== this.#nodeName) this.#objects.remove(server);
  }

  /** The only node always leads. */
  readonly leading = true;
  readonly nameIsShared = false;
  readonly storedObjects: StoredObjects;

  run(signal: AbortSignal, listener: StoreListener): Promise<void> {
    this.#listener = listener;
    return this.#folder.run(signal, () => listener.onBegin());
  }

  view(): View | undefined {
    if (!this.#folder.synced) return undefined;
    this.#view ??= {
      masterKeys: this.#objects.ofKind("MasterKey"),
      keyVersions: this.#objects.ofKind("KeyVersion"),
      keyAliases: this.#objects.ofKind("KeyAlias"),
      keyServers: this.#objects.ofKind("KeyServer"),
      keyVersionsUpTo: this.#objects.resourceVersion,
      // The only node is the node that asks.
      heardOf: new Map([[this.#nodeName, Number.POSITIVE_INFINITY]]),
    };
    return this.#view;
  }

  keyGrants(): readonly KeyGrant[] | undefined {
    return this.#folder.synced ? this.#objects.ofKind("KeyGrant") : undefined;
  }

  keyGrant({ namespace, name }: ObjectName): KeyGrant | undefined {
    const object = this.#objects.get(`KeyGrant ${namespace}/${name}`);
    return object?.kind === "KeyGrant" ? object : undefined;
  }

  async fresh<K extends Kind>(kind: K): Promise<readonly ResourceOf[K][]> {
    return this.#objects.ofKind(kind);
  }

  async isThere(kind: "KeyVersion", name: string): Promise<boolean> {
    return this.#objects.get(`${kind} ${name}`) !== undefined;
  }

  async applyStatus<K extends Kind>(object: ResourceOf[K], status: ResourceOf[K]["status"]): Promise<void> {
    this.#objects.refuseStale(object);
    this.#objects.put({ ...object, ...(status !== undefined && { status }) } as AnyResource);
  }

  async createKeyVersion(name: string, spec: KeyVersion["spec"]): Promise<void> {
    const object = {
      apiVersion: API_VERSION,
      kind: "KeyVersion" as const,
      metadata: newMetadata(name),
      spec,
    };
    if (this.#objects.get(keyOf(object)) !== undefined)
      throw new ClavigerError("Conflict", `KeyVersion ${name} exists`);
    this.#objects.put(object);
  }

  async replaceSeal(version: KeyVersion, seal: Seal): Promise<void> {
    this.#objects.refuseStale(version);
    const { destroyed: _, ...identity } = version.spec;
    this.#objects.put({ ...version, spec: { ...identity, seal } });
  }

  async destroyVersion(version: KeyVersion, destroyed: Destroyed): Promise<void> {
    this.#objects.refuseStale(version);
    const { seal: _, ...identity } = version.spec;
    this.#objects.put({ ...version, spec: { ...identity, destroyed } });
  }

  /** A manifest that was removed is gone, and nobody waits for it. Its versions stay. */
  async setFinalizers(): Promise<void> {}

  async setBinding(version: KeyVersion, { validTo, ownership }: Binding): Promise<void> {
    this.#objects.refuseStale(version);
    const { validTo: _, ownership: __, ...spec } = version.spec;
    const binding = {
      ...(validTo !== undefined && { validTo }),
      ...(ownership !== undefined && { ownership }),
    };
    this.#objects.put({ ...version, spec: { ...spec, ...binding } });
  }

  async reportKeyServer(name: string, status: KeyServerStatus): Promise<void> {
    const stored = this.#objects.ofKind("KeyServer").find((server) => server.metadata.name === name);
    const metadata = stored?.metadata ?? newMetadata(name);
    this.#objects.put({ apiVersion: API_VERSION, kind: "KeyServer", metadata, status });
  }

  async setCondition(server: KeyServer, condition: Condition): Promise<void> {
    const others = (server.status?.conditions ?? []).filter(({ type }) => type !== condition.type);
    await this.applyStatus<"KeyServer">(server, { ...server.status, conditions: [...others, condition] });
  }

  async deleteKeyServer(server: KeyServer): Promise<void> {
    this.#objects.remove(server);
  }

  async recordEvent(object: ObjectRef, happened: ResourceEvent): Promise<void> {
    const event = this.#events.admit(object, happened, performance.now());
    if (event !== undefined) logEvent(this.#log, object, event);
  }

  /** There is only one clock. */
  async serverTime(): Promise<undefined> {
    return undefined;
  }

  async nodeUid(): Promise<undefined> {
    return undefined;
  }

  #changed(object: AnyResource): void {
    this.#view = undefined;
    this.#listener?.onChange(object);
  }
}

/** The decisions never call this: they know that this operator has no API server. */
async function unreachable(): Promise<never> {
  throw new ClavigerError("Internal", "standalone mode has no API server whose objects it could reach");
}
