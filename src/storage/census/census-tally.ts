import type { StoredObject } from "../etcd/storage-key.ts";
import type { StoredValue } from "../etcd/stored-value.ts";
import { groupResourceText } from "../served/group-resource.ts";

/** Objects of one resource that are stored in the same way. */
export interface CensusRow {
  /** `secrets`, `deployments.apps`; `frobs.?` if the key does not name the group. */
  readonly resource: string;
  readonly stored: StoredValue;
  readonly objects: number;
  /** Some of the objects, as NAMESPACE/NAME or NAME. */
  readonly examples: readonly string[];
}

/** "1 object", "3 objects" */
export const objectsText = (count: number): string => (count === 1 ? "1 object" : `${count} objects`);

export interface TallyLimits {
  /** The number of examples in each row. */
  readonly examples: number;
  /** The limit of rows: the contents of etcd must not fill our memory. */
  readonly rows: number;
}

/** Counts objects by resource and by how they are stored. The number of rows bounds its size. */
export class CensusTally {
  readonly #limits: TallyLimits;
  readonly #rows = new Map<string, { row: CensusRow; objects: number; examples: string[] }>();
  #objects = 0;
  #unlisted = 0;

  constructor(limits: TallyLimits) {
    this.#limits = limits;
  }

  get objects(): number {
    return this.#objects;
  }

  /** Objects for which there was no row left. */
  get unlisted(): number {
    return this.#unlisted;
  }

  add(object: StoredObject, stored: StoredValue): void {
    this.#objects += 1;
    const resource = resourceText(object);
    const key = rowKey(resource, stored);
    let entry = this.#rows.get(key);
    if (entry === undefined) {
      if (this.#rows.size >= this.#limits.rows) {
        this.#unlisted += 1;
        return;
      }
      entry = { row: { resource, stored, objects: 0, examples: [] }, objects: 0, examples: [] };
      this.#rows.set(key, entry);
    }
    entry.objects += 1;
    if (entry.examples.length < this.#limits.examples) entry.examples.push(objectText(object));
  }

  /** Ordered by resource, then by the number of objects, the largest first. */
  rows(): readonly CensusRow[] {
    return [...this.#rows.values()]
      .map(({ row, objects, examples }) => ({ ...row, objects, examples: [...examples] }))
      .sort((a, b) => compare(a.resource, b.resource) || b.objects - a.objects);
  }
}

function resourceText({ resource: { group, resource } }: StoredObject): string {
  return group === undefined ? `${resource}.?` : groupResourceText({ group, resource });
}

const objectText = ({ namespace, name }: StoredObject): string =>
  namespace === undefined ? name : `${namespace}/${name}`;

/** Identifies a row. JSON keeps hostile names apart that plain concatenation would confuse. */
function rowKey(resource: string, stored: StoredValue): string {
  switch (stored.kind) {
    case "plain":
      return JSON.stringify([resource, stored.kind]);
    case "kms-v2":
      return JSON.stringify([resource, stored.kind, stored.provider, stored.keyId]);
    case "kms-v1":
    case "damaged":
      return JSON.stringify([resource, stored.kind, stored.provider]);
    case "aescbc":
    case "aesgcm":
    case "secretbox":
      return JSON.stringify([resource, stored.kind, stored.keyName]);
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
