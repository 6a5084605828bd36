import type { VersionIdentity } from "../../keyring/rows.ts";
import { nameText, type ObjectName } from "../../names.ts";

/** NAMESPACE/NAME of the MasterKeys that own the versions of each keyId. */
export type Owners = ReadonlyMap<string, ReadonlySet<string>>;

/** The MasterKeys that versions belong to. */
export function ownersOf(versions: Iterable<Pick<VersionIdentity, "keyId" | "masterKey">>): Owners {
  const owners = new Map<string, Set<string>>();
  for (const { keyId, masterKey } of versions) {
    const names = owners.get(keyId) ?? new Set();
    owners.set(keyId, names.add(nameText(masterKey)));
  }
  return owners;
}

/** Whether the versions of a keyId are another MasterKey's, and none is this one's: whoever may write a status could claim any. */
export function isForeignKeyId(keyId: string, name: ObjectName, owners: Owners): boolean {
  const names = owners.get(keyId);
  return names !== undefined && !names.has(nameText(name));
}
