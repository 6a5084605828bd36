import type { VersionIdentity } from "../../keyring/rows.ts";
import { nameText, type ObjectName } from "../../names.ts";

/** Maps each keyId to the NAMESPACE/NAME of the MasterKeys that own its versions. */
export type Owners = ReadonlyMap<string, ReadonlySet<string>>;

/** Returns the MasterKeys that own the versions. */
export function ownersOf(versions: Iterable<Pick<VersionIdentity, "keyId" | "masterKey">>): Owners {
  const owners = new Map<string, Set<string>>();
  for (const { keyId, masterKey } of versions) {
    const names = owners.get(keyId) ?? new Set();
    owners.set(keyId, names.add(nameText(masterKey)));
  }
  return owners;
}

/**
 * Returns true if the versions of a keyId belong to another MasterKey, and none to this MasterKey. Anybody
 * who may write a status could claim any keyId.
 */
export function isForeignKeyId(keyId: string, name: ObjectName, owners: Owners): boolean {
  const names = owners.get(keyId);
  return names !== undefined && !names.has(nameText(name));
}
