import { randomUUID } from "node:crypto";
import { ClavigerError } from "../../errors.ts";
import { parseJson } from "../../json.ts";
import type { ObjectTable } from "../../keyring/tables/objects.ts";
import type { AnyResource, Kind, ObjectMeta, ResourceOf } from "../../resources/resources.ts";
import { rfc3339 } from "../../times.ts";

/** The custom resources of standalone mode: in memory, and in the keyring's file. They have the metadata that an API server would give them. */
export class KeptObjects {
  readonly #table: ObjectTable;
  readonly #onChange: (object: AnyResource) => void;
  readonly #objects = new Map<string, AnyResource>();
  #resourceVersion = 0;

  constructor(table: ObjectTable, onChange: (object: AnyResource) => void) {
    this.#table = table;
    this.#onChange = onChange;
    for (const { json } of table.read().rows) this.#load(objectOf(json));
  }

  /** The highest resourceVersion that was given so far. */
  get resourceVersion(): string {
    return String(this.#resourceVersion);
  }

  get(key: string): AnyResource | undefined {
    return this.#objects.get(key);
  }

  ofKind<K extends Kind>(kind: K): ResourceOf[K][] {
    const ofKind = (object: AnyResource): object is Extract<AnyResource, ResourceOf[K]> =>
      object.kind === kind;
    return [...this.#objects.values()].filter(ofKind);
  }

  /** Stores an object under a new resourceVersion. */
  put(object: AnyResource): void {
    const resourceVersion = String(this.#resourceVersion + 1);
    const next = { ...object, metadata: { ...object.metadata, resourceVersion } } as AnyResource;
    this.#table.put({ ...rowKeyOf(next), json: JSON.stringify(next) });
    this.#load(next);
    this.#onChange(next);
  }

  remove(object: AnyResource): void {
    this.#table.remove(rowKeyOf(object));
    this.#objects.delete(keyOf(object));
    this.#onChange(object);
  }

  /** Throws Conflict unless the object is the stored object. */
  refuseStale(object: AnyResource): void {
    const stored = this.#objects.get(keyOf(object))?.metadata;
    const { uid, resourceVersion } = object.metadata;
    if (stored?.uid === uid && stored.resourceVersion === resourceVersion) return;
    throw new ClavigerError("Conflict", `${keyOf(object)} has changed`);
  }

  #load(object: AnyResource): void {
    this.#objects.set(keyOf(object), object);
    this.#resourceVersion = Math.max(this.#resourceVersion, Number(object.metadata.resourceVersion));
  }
}

/** Reads an object that this store has written. */
const objectOf = (json: unknown): AnyResource =>
  parseJson(String(json), "an object in the keyring", "KeyringCorrupt") as AnyResource;

/** Names an object by its kind, its namespace if it has one, and its name. */
export function keyOf({ kind, metadata }: AnyResource): string {
  return `${kind} ${metadata.namespace === undefined ? "" : `${metadata.namespace}/`}${metadata.name}`;
}

const rowKeyOf = ({ kind, metadata: { namespace = "", name } }: AnyResource) => ({ kind, namespace, name });

/** Makes the metadata of a new object; its resourceVersion is given when it is stored. */
export function newMetadata(name: string, namespace?: string): ObjectMeta {
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    uid: randomUUID(),
    resourceVersion: "0",
    generation: 1,
    creationTimestamp: rfc3339(new Date()),
  };
}
