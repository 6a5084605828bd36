import { nameText, type VersionIdentity } from "../keyring/rows.ts";

/** The MasterKeys that versions belong to (NAMESPACE/NAME), by keyId. */
export function ownersOf(
  versions: Iterable<Pick<VersionIdentity, "keyId" | "masterKey">>,
): ReadonlyMap<string, ReadonlySet<string>> {
  const owners = new Map<string, Set<string>>();
  for (const { keyId, masterKey } of versions) {
    const names = owners.get(keyId) ?? new Set();
    owners.set(keyId, names.add(nameText(masterKey)));
  }
  return owners;
}
