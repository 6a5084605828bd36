import type { AliasRow, KeyRow } from "../keyring/rows.ts";
import type { KeyVersion } from "../kube/resources.ts";
import type { AskedVersion, NamespaceUsage } from "./namespace-room.ts";
import type { ViewIndex } from "./view-index.ts";

/** What the leader's own keyring has, which may be more than the API server has. */
interface Held {
  keys(): readonly Pick<KeyRow, "namespace" | "name">[];
  aliases(): readonly Pick<AliasRow, "namespace" | "name">[];
}

const ASKED = new Set<string | undefined>(["OnDemand", "Imported"]);

/**
 * Counts what a namespace uses, each part when it is first asked for. What was deleted from
 * the API server counts, as long as its versions or the leader's keyring tell of it.
 */
export class CountedUsage implements NamespaceUsage {
  readonly #namespace: string;
  readonly #index: ViewIndex;
  readonly #held: Held;
  #masterKeys: ReadonlySet<string> | undefined;
  #keyAliases: ReadonlySet<string> | undefined;
  #asked: readonly AskedVersion[] | undefined;

  constructor(namespace: string, index: ViewIndex, held: Held) {
    this.#namespace = namespace;
    this.#index = index;
    this.#held = held;
  }

  get masterKeys(): ReadonlySet<string> {
    this.#masterKeys ??= new Set([
      ...this.#index.view.masterKeys
        .filter(({ metadata, status }) => this.#isHere(metadata) && status?.keyId !== undefined)
        .map(({ metadata }) => metadata.name),
      ...this.#versions.map(({ spec }) => spec.masterKey.name),
      ...this.#held.keys().flatMap((row) => (this.#isHere(row) ? row.name : [])),
    ]);
    return this.#masterKeys;
  }

  get keyAliases(): ReadonlySet<string> {
    this.#keyAliases ??= new Set([
      ...this.#index.view.keyAliases
        .filter(({ metadata, status }) => this.#isHere(metadata) && status?.masterKey !== undefined)
        .map(({ metadata }) => metadata.name),
      ...this.#held.aliases().flatMap((row) => (this.#isHere(row) ? row.name : [])),
    ]);
    return this.#keyAliases;
  }

  get keyVersions(): number {
    return this.#versions.length;
  }

  get asked(): readonly AskedVersion[] {
    this.#asked ??= this.#versions
      .filter(({ status }) => ASKED.has(status?.trigger))
      .map(({ metadata, spec }) => ({
        masterKey: spec.masterKey.name,
        madeAt: new Date(metadata.creationTimestamp),
      }));
    return this.#asked;
  }

  get #versions(): readonly KeyVersion[] {
    return this.#index.versionsIn(this.#namespace);
  }

  #isHere({ namespace }: { readonly namespace?: string }): boolean {
    return namespace === this.#namespace;
  }
}
