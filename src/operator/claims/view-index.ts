import { isDeepStrictEqual } from "node:util";
import { type ObjectName, servedAlias } from "../../names.ts";
import { objectText } from "../../resources/object-text.ts";
import type { KeyAlias, KeyVersion, MasterKey } from "../../resources/resources.ts";
import type { View } from "../../store/view.ts";
import { timeOf } from "../../times.ts";
import { KeyIdClaims } from "./key-id-claims.ts";
import type { OwnRecord } from "./own-record.ts";

/** Triggers of versions that somebody requested. */
const ASKED = new Set<string | undefined>(["OnDemand", "Imported"]);

/** Maps each KeyVersion of the API server to the KeyVersion that the keyring confirms. */
type Versions = ReadonlyMap<KeyVersion, KeyVersion>;

/** The objects of one namespace by name. A version belongs to the namespace of its MasterKey. */
export interface NamespaceIndex {
  readonly masterKeys: ReadonlyMap<string, MasterKey>;
  readonly keyAliases: ReadonlyMap<string, KeyAlias>;
  /** The KeyVersions of each MasterKey by name, of deleted MasterKeys too. */
  readonly versions: ReadonlyMap<string, Versions>;
  readonly versionCount: number;
  /** Versions that were created on request. */
  readonly asked: Versions;
}

class Namespace implements NamespaceIndex {
  readonly masterKeys = new Map<string, MasterKey>();
  readonly keyAliases = new Map<string, KeyAlias>();
  readonly versions = new Map<string, Map<KeyVersion, KeyVersion>>();
  readonly asked = new Map<KeyVersion, KeyVersion>();
  versionCount = 0;

  put(stored: KeyVersion, recorded: KeyVersion): void {
    const { name } = stored.spec.masterKey;
    const ofKey = this.versions.get(name) ?? new Map<KeyVersion, KeyVersion>();
    this.versions.set(name, ofKey.set(stored, recorded));
    this.versionCount += 1;
    if (ASKED.has(stored.status?.trigger)) this.asked.set(stored, recorded);
  }

  take(stored: KeyVersion): void {
    const { name } = stored.spec.masterKey;
    const ofKey = this.versions.get(name);
    if (ofKey?.delete(stored) === true) this.versionCount -= 1;
    if (ofKey?.size === 0) this.versions.delete(name);
    this.asked.delete(stored);
  }
}

/**
 * A view with the look-ups that a reconcile needs. It follows the views, and the cost of a change does not
 * grow with the number of versions, except for a comparison of references.
 */
export class ViewIndex {
  #view: View;
  /** This node's own keyring, which checks the claims of the view. */
  readonly record: OwnRecord;
  readonly #namespaces = new Map<string, Namespace>();
  readonly #stored = new Map<string, KeyVersion>();
  readonly #claims = new KeyIdClaims();
  #checked: View | undefined;

  constructor(view: View, record: OwnRecord) {
    this.#view = { ...view, masterKeys: [], keyVersions: [], keyAliases: [] };
    this.record = record;
    this.follow(view);
  }

  get view(): View {
    return this.#view;
  }

  /** Updates the index to a later view. Do not call this while a reconcile uses the index. */
  follow(view: View): void {
    const before = this.#view;
    if (view === before) return;
    this.#view = view;
    this.#checked = undefined;
    const keys = difference(before.masterKeys, view.masterKeys);
    for (const key of keys.gone) {
      this.#in(key.metadata).masterKeys.delete(key.metadata.name);
      this.#claims.take(key);
    }
    for (const key of keys.come) {
      this.#in(key.metadata).masterKeys.set(key.metadata.name, key);
      this.#claims.put(key);
    }
    const aliases = difference(before.keyAliases, view.keyAliases);
    for (const alias of aliases.gone) this.#in(alias.metadata).keyAliases.delete(alias.metadata.name);
    for (const alias of aliases.come) this.#in(alias.metadata).keyAliases.set(alias.metadata.name, alias);
    const versions = difference(before.keyVersions, view.keyVersions);
    for (const version of versions.gone) this.#take(version);
    for (const version of versions.come) this.#put(version);
  }

  #in({ namespace = "" }: { readonly namespace?: string }): Namespace {
    const known = this.#namespaces.get(namespace) ?? new Namespace();
    this.#namespaces.set(namespace, known);
    return known;
  }

  #put(version: KeyVersion): void {
    this.#stored.set(version.metadata.name, version);
    if (this.record.verdict(version) === "foreign") return;
    this.#in(version.spec.masterKey).put(version, this.record.asRecorded(version));
  }

  #take(version: KeyVersion): void {
    const { name } = version.metadata;
    if (this.#stored.get(name) === version) this.#stored.delete(name);
    this.#in(version.spec.masterKey).take(version);
  }

  /** The view as far as this node's keyring confirms it. Deletion and destruction are decided on it. */
  get checked(): View {
    this.#checked ??= {
      ...this.view,
      masterKeys: this.record.checked(this.view.masterKeys),
      keyVersions: [...this.#namespaces.values()].flatMap(({ versions }) =>
        [...versions.values()].flatMap((ofKey) => [...ofKey.values()]),
      ),
    };
    return this.#checked;
  }

  namespace(name: string): NamespaceIndex {
    return this.#namespaces.get(name) ?? new Namespace();
  }

  masterKey({ namespace, name }: ObjectName): MasterKey | undefined {
    return this.#namespaces.get(namespace)?.masterKeys.get(name);
  }

  alias({ namespace, name }: ObjectName): KeyAlias | undefined {
    return this.#namespaces.get(namespace)?.keyAliases.get(name);
  }

  /** Returns the MasterKeys that have a keyId in their status. */
  claimantsOf(keyId: string): Iterable<MasterKey> {
    return this.#claims.of(keyId);
  }

  /** Returns a KeyVersion by the name of its object, as the API server has it. */
  version(name: string): KeyVersion | undefined {
    return this.#stored.get(name);
  }

  /** Returns the KeyAliases of a MasterKey's namespace, because no others can point to it. */
  aliasesBeside({ metadata: { namespace = "" } }: MasterKey): readonly KeyAlias[] {
    return [...this.namespace(namespace).keyAliases.values()];
  }

  /**
   * Returns the aliases under which the nodes serve this MasterKey, in the form of a KeyServer's `serves`.
   */
  aliasesOf(masterKey: MasterKey): ReadonlySet<string> {
    const pointing = this.aliasesBeside(masterKey).filter(
      ({ status }) => status?.masterKey === masterKey.metadata.name,
    );
    return new Set(pointing.map((alias) => servedAlias(objectText(alias))));
  }

  /**
   * Returns the versions that name a MasterKey, except those that this node's keyring knows to be another's.
   */
  versionsFor({ metadata: { namespace = "", name } }: MasterKey): KeyVersion[] {
    return [...(this.#namespaces.get(namespace)?.versions.get(name)?.values() ?? [])];
  }

  /**
   * Returns the names of a MasterKey's KeyVersions that this node's keyring does not have yet, so that their
   * owner is not known.
   */
  unrecordedFor(masterKey: MasterKey): ReadonlySet<string> {
    const unknown = this.versionsFor(masterKey).filter(
      (version) => this.record.verdict(version) === "unknown",
    );
    return new Set(unknown.map(({ metadata }) => metadata.name));
  }

  /**
   * Returns true if, for a version of the MasterKey, the API server's validTo or proof differs from this
   * node's keyring: a re-import is on its way here, or an altered value is about to be put back.
   */
  isUnsettled(masterKey: MasterKey): boolean {
    return this.versionsFor(masterKey).some(({ metadata, spec }) => {
      const stored = this.#stored.get(metadata.name)?.spec;
      const sameEnd = secondsOf(stored?.validTo) === secondsOf(spec.validTo);
      return !sameEnd || !isDeepStrictEqual(stored?.ownership, spec.ownership);
    });
  }
}

/** Compares times to the second, however they are written. */
const secondsOf = (time: string | undefined): number | undefined =>
  time === undefined ? undefined : Math.floor(timeOf(time) / 1000);

interface Difference<T> {
  readonly gone: Iterable<T>;
  readonly come: Iterable<T>;
}

/**
 * Returns the objects that are not in both of two lists. Lists of views keep their order, so only the part
 * between the first and the last difference is compared closely.
 */
export function difference<T>(before: readonly T[], after: readonly T[]): Difference<T> {
  if (before === after) return { gone: [], come: [] };
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < shorter - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1;
  const gone = new Set(before.slice(start, before.length - end));
  const come = new Set(after.slice(start, after.length - end));
  return {
    gone: [...gone].filter((one) => !come.has(one)),
    come: [...come].filter((one) => !gone.has(one)),
  };
}
