import { isDeepStrictEqual } from "node:util";
import { nameText, type ObjectName, servedAlias } from "../keyring/rows.ts";
import type { KeyAlias, KeyVersion, MasterKey } from "../kube/resources.ts";
import { timeOf } from "../times.ts";
import type { OwnRecord } from "./own-record.ts";
import type { View } from "./resource-store.ts";

/** A view with the look-ups that a reconcile needs, so that ten thousand versions are walked once per change. */
export class ViewIndex {
  readonly view: View;
  readonly #masterKeys: ReadonlyMap<string, MasterKey>;
  /** This node's own keyring, by which claims of the view are checked. */
  readonly record: OwnRecord;
  readonly #versionsByName = new Map<string, KeyVersion[]>();
  readonly #stored: ReadonlyMap<string, KeyVersion>;
  #checked: View | undefined;
  readonly #versionsByNamespace = new Map<string, KeyVersion[]>();
  readonly #aliases: ReadonlyMap<string, KeyAlias>;

  constructor(view: View, record: OwnRecord) {
    this.view = view;
    this.record = record;
    this.#stored = new Map(view.keyVersions.map((version) => [version.metadata.name, version]));
    this.#masterKeys = new Map(view.masterKeys.map((key) => [objectText(key), key]));
    this.#aliases = new Map(view.keyAliases.map((alias) => [objectText(alias), alias]));
    for (const version of view.keyVersions) {
      if (record.verdict(version) === "foreign") continue;
      const recorded = record.asRecorded(version);
      append(this.#versionsByName, nameText(version.spec.masterKey), recorded);
      append(this.#versionsByNamespace, version.spec.masterKey.namespace, recorded);
    }
  }

  /** The view as this node's keyring bears it out: what decides on deletion and destruction. */
  get checked(): View {
    this.#checked ??= {
      ...this.view,
      masterKeys: this.record.checked(this.view.masterKeys),
      keyVersions: [...this.#versionsByName.values()].flat(),
    };
    return this.#checked;
  }

  masterKey(name: ObjectName): MasterKey | undefined {
    return this.#masterKeys.get(nameText(name));
  }

  alias(name: string): KeyAlias | undefined {
    return this.#aliases.get(name);
  }

  /** The aliases that the nodes serve as this MasterKey, as a KeyServer's `serves` names them. */
  aliasesOf({ metadata }: MasterKey): ReadonlySet<string> {
    const pointing = this.view.keyAliases.filter(
      (alias) => alias.metadata.namespace === metadata.namespace && alias.status?.masterKey === metadata.name,
    );
    return new Set(pointing.map((alias) => servedAlias(objectText(alias))));
  }

  /** The versions of a namespace's MasterKeys, also of those that were deleted. */
  versionsIn(namespace: string): readonly KeyVersion[] {
    return this.#versionsByNamespace.get(namespace) ?? [];
  }

  /** The versions that name a MasterKey, but for those that this node's keyring knows to be another's. */
  versionsFor(masterKey: MasterKey): KeyVersion[] {
    return [...(this.#versionsByName.get(objectText(masterKey)) ?? [])];
  }

  /** Names of the KeyVersions of a MasterKey that this node's keyring does not have yet: whose they are is not known. */
  unrecordedFor(masterKey: MasterKey): ReadonlySet<string> {
    const unknown = this.versionsFor(masterKey).filter(
      (version) => this.record.verdict(version) === "unknown",
    );
    return new Set(unknown.map(({ metadata }) => metadata.name));
  }

  /**
   * Whether the API server has another validTo or proof of one of a MasterKey's versions than this node's keyring:
   * a re-import that is on its way here, or what is about to be put back.
   */
  isUnsettled(masterKey: MasterKey): boolean {
    return this.versionsFor(masterKey).some(({ metadata, spec }) => {
      const stored = this.#stored.get(metadata.name)?.spec;
      const sameEnd = secondsOf(stored?.validTo) === secondsOf(spec.validTo);
      return !sameEnd || !isDeepStrictEqual(stored?.ownership, spec.ownership);
    });
  }
}

/** What was written in another way, or with parts of a second, is the same end. */
const secondsOf = (time: string | undefined): number | undefined =>
  time === undefined ? undefined : Math.floor(timeOf(time) / 1000);

/** NAMESPACE/NAME of an object. */
export const objectText = (object: {
  readonly metadata: { readonly namespace?: string; readonly name: string };
}): string => `${object.metadata.namespace ?? ""}/${object.metadata.name}`;

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
