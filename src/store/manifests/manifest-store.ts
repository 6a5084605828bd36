import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { ClavigerError, messageOf } from "../../errors.ts";
import { parseJson } from "../../json.ts";
import type { KeyringWriter } from "../../keyring/writer.ts";
import type { Log } from "../../log.ts";
import type { Destroyed } from "../../resources/deletion-schema.ts";
import type { Binding, Seal } from "../../resources/key-version-rows.ts";
import {
  type AnyResource,
  API_VERSION,
  type Condition,
  type KeyServer,
  type KeyServerStatus,
  type KeyVersion,
  type Kind,
  type ResourceOf,
} from "../../resources/resources.ts";
import type { StoredObjects } from "../../storage/stored-objects.ts";
import { rfc3339 } from "../../times.ts";
import { EventLimiter } from "../event-limiter.ts";
import type { ObjectRef, ResourceEvent } from "../events.ts";
import { logEvent } from "../log-event.ts";
import type { ResourceStore } from "../resource-store.ts";
import type { StoreListener } from "../roles.ts";
import type { View } from "../view.ts";
import { judgeManifest, manifestKey, refusalsOf } from "./manifest-verdicts.ts";
import { fingerprint, type Manifest, readManifests } from "./manifests.ts";

const POLL_MILLISECONDS = 500;

/**
 * Standalone mode's resources: specs from a folder of manifests, everything else
 * (status, KeyVersions, the KeyServer) in the keyring's own file.
 *
 * It does what an API server would: defaults, schema, rules about change, uid,
 * generation, resourceVersion. A manifest that is refused changes nothing: the
 * object stays as it was.
 */
export class ManifestStore implements ResourceStore {
  readonly #folder: string;
  readonly #nodeName: string;
  readonly #keyring: KeyringWriter;
  readonly #log: Log;
  readonly #events = new EventLimiter();
  readonly #objects = new Map<string, AnyResource>();
  /** Which file each MasterKey and KeyAlias came from. */
  readonly #sources = new Map<string, string>();
  #resourceVersion = 0;
  #listener: StoreListener | undefined;
  #view: View | undefined;
  #synced = false;

  constructor(options: {
    readonly folder: string;
    readonly nodeName: string;
    readonly keyring: KeyringWriter;
    readonly log: Log;
    /** As StoredObjects has it: there is no API server by which to tell whose etcd it is. */
    readonly countAll: StoredObjects["countAll"];
  }) {
    this.#folder = options.folder;
    this.#nodeName = options.nodeName;
    this.#keyring = options.keyring;
    this.#log = options.log;
    const { countAll } = options;
    this.storedObjects = { rewrite: unreachable, count: unreachable, countAll };
    for (const { json } of this.#keyring.objects()) this.#load(objectOf(json));
    // A node that was renamed is still the only one.
    for (const server of this.#ofKind("KeyServer"))
      if (server.metadata.name !== this.#nodeName) this.#remove(server);
  }

  /** The only node always leads. */
  readonly leading = true;
  readonly nameIsShared = false;
  readonly storedObjects: StoredObjects;

  async run(signal: AbortSignal, listener: StoreListener): Promise<void> {
    this.#listener = listener;
    let seen: string | undefined;
    let complaint: string | undefined;
    while (!signal.aborted) {
      try {
        const now = fingerprint(this.#folder);
        if (now !== seen) this.#readFolder();
        if (seen === undefined) listener.onBegin();
        seen = now;
        complaint = undefined;
      } catch (error) {
        if (complaint !== messageOf(error)) this.#log("error", messageOf(error));
        complaint = messageOf(error);
      }
      await sleep(POLL_MILLISECONDS, undefined, { signal }).catch(() => undefined);
    }
  }

  view(): View | undefined {
    if (!this.#synced) return undefined;
    this.#view ??= {
      masterKeys: this.#ofKind("MasterKey"),
      keyVersions: this.#ofKind("KeyVersion"),
      keyAliases: this.#ofKind("KeyAlias"),
      keyServers: this.#ofKind("KeyServer"),
      keyVersionsUpTo: String(this.#resourceVersion),
      // The one node is the one that asks.
      heardOf: new Map([[this.#nodeName, Number.POSITIVE_INFINITY]]),
    };
    return this.#view;
  }

  async fresh<K extends Kind>(kind: K): Promise<readonly ResourceOf[K][]> {
    return this.#ofKind(kind);
  }

  async isThere(kind: "KeyVersion", name: string): Promise<boolean> {
    return this.#objects.has(`${kind} ${name}`);
  }

  async applyStatus<K extends Kind>(object: ResourceOf[K], status: ResourceOf[K]["status"]): Promise<void> {
    this.#refuseStale(object);
    this.#put({ ...object, ...(status !== undefined && { status }) } as AnyResource);
  }

  async createKeyVersion(name: string, spec: KeyVersion["spec"]): Promise<void> {
    const object = {
      apiVersion: API_VERSION,
      kind: "KeyVersion" as const,
      metadata: newMetadata(name),
      spec,
    };
    if (this.#objects.has(keyOf(object))) throw new ClavigerError("Conflict", `KeyVersion ${name} exists`);
    this.#put(object);
  }

  async replaceSeal(version: KeyVersion, seal: Seal): Promise<void> {
    this.#refuseStale(version);
    const { destroyed: _, ...identity } = version.spec;
    this.#put({ ...version, spec: { ...identity, seal } });
  }

  async destroyVersion(version: KeyVersion, destroyed: Destroyed): Promise<void> {
    this.#refuseStale(version);
    const { seal: _, ...identity } = version.spec;
    this.#put({ ...version, spec: { ...identity, destroyed } });
  }

  /** A manifest that was taken away is gone: there is nobody to wait for. Its versions stay. */
  async setFinalizers(): Promise<void> {}

  async setBinding(version: KeyVersion, { validTo, ownership }: Binding): Promise<void> {
    this.#refuseStale(version);
    const { validTo: _, ownership: __, ...spec } = version.spec;
    const binding = {
      ...(validTo !== undefined && { validTo }),
      ...(ownership !== undefined && { ownership }),
    };
    this.#put({ ...version, spec: { ...spec, ...binding } });
  }

  async reportKeyServer(name: string, status: KeyServerStatus): Promise<void> {
    const stored = this.#ofKind("KeyServer").find((server) => server.metadata.name === name);
    const metadata = stored?.metadata ?? newMetadata(name);
    this.#put({ apiVersion: API_VERSION, kind: "KeyServer", metadata, status });
  }

  async setCondition(server: KeyServer, condition: Condition): Promise<void> {
    const others = (server.status?.conditions ?? []).filter(({ type }) => type !== condition.type);
    await this.applyStatus<"KeyServer">(server, { ...server.status, conditions: [...others, condition] });
  }

  async deleteKeyServer(server: KeyServer): Promise<void> {
    this.#remove(server);
  }

  async recordEvent(object: ObjectRef, happened: ResourceEvent): Promise<void> {
    const event = this.#events.admit(object, happened, performance.now());
    if (event !== undefined) logEvent(this.#log, object, event);
  }

  /** There is one clock. */
  async serverTime(): Promise<undefined> {
    return undefined;
  }

  async nodeUid(): Promise<undefined> {
    return undefined;
  }

  /** Throws Conflict unless the object is the one that is stored. */
  #refuseStale(object: AnyResource): void {
    const stored = this.#objects.get(keyOf(object))?.metadata;
    const { uid, resourceVersion } = object.metadata;
    if (stored?.uid === uid && stored.resourceVersion === resourceVersion) return;
    throw new ClavigerError("Conflict", `${keyOf(object)} has changed`);
  }

  #ofKind<K extends Kind>(kind: K): ResourceOf[K][] {
    const ofKind = (object: AnyResource): object is Extract<AnyResource, ResourceOf[K]> =>
      object.kind === kind;
    return [...this.#objects.values()].filter(ofKind);
  }

  #readFolder(): void {
    const { manifests, problems, unreadable } = readManifests(this.#folder);
    for (const problem of problems) this.#log("error", problem);
    for (const manifest of manifests) this.#accept(manifest);
    const wanted = new Set(manifests.map(manifestKey));
    for (const object of [...this.#ofKind("MasterKey"), ...this.#ofKind("KeyAlias")]) {
      if (!wanted.has(keyOf(object)) && !this.#mayBeIn(unreadable, object)) this.#remove(object);
    }
    this.#synced = true;
  }

  /** A file that is broken just now has not taken its objects back. After a restart it may be any file's. */
  #mayBeIn(unreadable: ReadonlySet<string>, object: AnyResource): boolean {
    const source = this.#sources.get(keyOf(object));
    return source === undefined ? unreadable.size > 0 : unreadable.has(source);
  }

  #accept(manifest: Manifest): void {
    const key = manifestKey(manifest);
    const stored = this.#objects.get(key);
    const old = stored !== undefined && "spec" in stored ? stored.spec : undefined;
    const { value, problems } = judgeManifest(manifest, old);
    this.#sources.set(key, manifest.source);
    if (problems.length > 0) {
      const refusals = refusalsOf(manifest, problems, stored !== undefined);
      for (const refusal of refusals) this.#log("error", refusal);
      return;
    }
    if (stored !== undefined && isDeepStrictEqual(old, value)) {
      this.#listener?.onChange(stored);
      return;
    }
    const before = stored?.metadata ?? newMetadata(manifest.name, manifest.namespace);
    const metadata = { ...before, generation: stored === undefined ? 1 : before.generation + 1 };
    this.#put({
      ...stored,
      apiVersion: API_VERSION,
      kind: manifest.kind,
      metadata,
      spec: value,
    } as AnyResource);
  }

  #load(object: AnyResource): void {
    this.#objects.set(keyOf(object), object);
    this.#resourceVersion = Math.max(this.#resourceVersion, Number(object.metadata.resourceVersion));
  }

  #put(object: AnyResource): void {
    const resourceVersion = String(this.#resourceVersion + 1);
    const next = { ...object, metadata: { ...object.metadata, resourceVersion } } as AnyResource;
    const { namespace = "", name } = next.metadata;
    this.#keyring.run(
      "INSERT INTO objects VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET json = excluded.json",
      next.kind,
      namespace,
      name,
      JSON.stringify(next),
    );
    this.#load(next);
    this.#changed(next);
  }

  #remove(object: AnyResource): void {
    const { namespace = "", name } = object.metadata;
    this.#keyring.run(
      "DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?",
      object.kind,
      namespace,
      name,
    );
    this.#objects.delete(keyOf(object));
    this.#changed(object);
  }

  #changed(object: AnyResource): void {
    this.#view = undefined;
    this.#listener?.onChange(object);
  }
}

/** The decisions never ask for it: they know that this operator has no API server. */
async function unreachable(): Promise<never> {
  throw new ClavigerError("Internal", "standalone mode has no API server whose objects it could reach");
}

/** What this store has written. */
const objectOf = (json: unknown): AnyResource =>
  parseJson(String(json), "an object in the keyring", "KeyringCorrupt") as AnyResource;

function keyOf({ kind, metadata }: AnyResource): string {
  return `${kind} ${metadata.namespace === undefined ? "" : `${metadata.namespace}/`}${metadata.name}`;
}

function newMetadata(name: string, namespace?: string) {
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    uid: randomUUID(),
    resourceVersion: "0",
    generation: 1,
    creationTimestamp: rfc3339(new Date()),
  };
}
