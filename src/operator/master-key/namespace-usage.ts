import type { AliasRow, KeyRow } from "../../keyring/rows.ts";
import type { NamespaceIndex, ViewIndex } from "../claims/view-index.ts";
import type { AskedVersion, NamespaceUsage } from "./namespace-room.ts";

/** The contents of the leader's own keyring, which may have more objects than the API server. */
interface Held {
  keys(): readonly Pick<KeyRow, "namespace" | "name">[];
  aliases(): readonly Pick<AliasRow, "namespace" | "name">[];
}

/**
 * Counts the resources of a namespace, each part only on request, because most passes do not need the names.
 * An object that was deleted from the API server counts, as long as its versions or the leader's keyring show
 * it.
 */
export class CountedUsage implements NamespaceUsage {
  readonly #name: string;
  readonly #namespace: NamespaceIndex;
  readonly #held: Held;

  constructor(namespace: string, index: ViewIndex, held: Held) {
    this.#name = namespace;
    this.#namespace = index.namespace(namespace);
    this.#held = held;
  }

  get masterKeys(): ReadonlySet<string> {
    const { masterKeys, versions } = this.#namespace;
    const withKey = [...masterKeys.values()].filter(({ status }) => status?.keyId !== undefined);
    return new Set([
      ...withKey.map(({ metadata }) => metadata.name),
      ...versions.keys(),
      ...this.#heldHere(this.#held.keys()),
    ]);
  }

  get keyAliases(): ReadonlySet<string> {
    const { keyAliases } = this.#namespace;
    const pointing = [...keyAliases.values()].filter(({ status }) => status?.masterKey !== undefined);
    return new Set([
      ...pointing.map(({ metadata }) => metadata.name),
      ...this.#heldHere(this.#held.aliases()),
    ]);
  }

  get keyVersions(): number {
    return this.#namespace.versionCount;
  }

  get asked(): readonly AskedVersion[] {
    return [...this.#namespace.asked.values()].map(({ metadata, spec }) => ({
      masterKey: spec.masterKey.name,
      madeAt: new Date(metadata.creationTimestamp),
    }));
  }

  #heldHere(rows: readonly Pick<KeyRow, "namespace" | "name">[]): string[] {
    return rows.flatMap((row) => (row.namespace === this.#name ? row.name : []));
  }
}
