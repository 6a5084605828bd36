import { nameText, type ObjectName } from "../keyring/rows.ts";
import type { KeyAlias, KeyVersion, MasterKey } from "../kube/resources.ts";
import type { View } from "./resource-store.ts";

/** A view with the look-ups that a reconcile needs, so that ten thousand versions are walked once per change. */
export class ViewIndex {
  readonly view: View;
  readonly #masterKeys: ReadonlyMap<string, MasterKey>;
  readonly #versionsByKeyId = new Map<string, KeyVersion[]>();
  readonly #versionsByName = new Map<string, KeyVersion[]>();

  constructor(view: View) {
    this.view = view;
    this.#masterKeys = new Map(view.masterKeys.map((key) => [objectText(key), key]));
    for (const version of view.keyVersions) {
      append(this.#versionsByKeyId, version.spec.keyId, version);
      append(this.#versionsByName, nameText(version.spec.masterKey), version);
    }
  }

  masterKey(name: ObjectName): MasterKey | undefined {
    return this.#masterKeys.get(nameText(name));
  }

  alias(name: string): KeyAlias | undefined {
    return this.view.keyAliases.find((alias) => objectText(alias) === name);
  }

  /** The aliases that the nodes serve as this MasterKey, as a KeyServer's `serves` names them. */
  aliasesOf({ metadata }: MasterKey): ReadonlySet<string> {
    const pointing = this.view.keyAliases.filter(
      (alias) => alias.metadata.namespace === metadata.namespace && alias.status?.masterKey === metadata.name,
    );
    return new Set(pointing.map((alias) => `alias ${objectText(alias)}`));
  }

  /** The versions that have a MasterKey's keyId or name it. */
  versionsFor(masterKey: MasterKey): KeyVersion[] {
    const byKeyId = this.#versionsByKeyId.get(masterKey.status?.keyId ?? "") ?? [];
    const byName = this.#versionsByName.get(objectText(masterKey)) ?? [];
    return [...new Set([...byKeyId, ...byName])];
  }
}

/** NAMESPACE/NAME of an object. */
export const objectText = (object: {
  readonly metadata: { readonly namespace?: string; readonly name: string };
}): string => `${object.metadata.namespace ?? ""}/${object.metadata.name}`;

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
