import type { KeyRow, VersionIdentity } from "../../keyring/rows.ts";
import { nameText, type ObjectName } from "../../names.ts";

/** Maps each keyId to the NAMESPACE/NAME of the MasterKeys that own it. */
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

/** A MasterKey's name and a keyId that it claims. */
export type Claim = Pick<KeyRow, "namespace" | "name" | "keyId">;

/**
 * Returns the owners of all keyIds: those of their versions, or, before the first version, the one MasterKey that
 * this node has recorded with the keyId. A keyId that several MasterKeys claim and that is not recorded as one
 * MasterKey's has no owner until only one claims it: whose it is cannot be known.
 */
export function keyIdOwners(
  versions: Iterable<Pick<VersionIdentity, "keyId" | "masterKey">>,
  rows: readonly Claim[],
  claims: readonly Claim[],
): Owners {
  return new Map([...soleOwners(claims), ...soleOwners(rows), ...ownersOf(versions)]);
}

/** Returns the name that has each keyId, and nobody for a keyId that several names have. */
function soleOwners(claims: readonly Claim[]): Owners {
  const owners = new Map<string, ReadonlySet<string>>();
  for (const claim of claims)
    owners.set(claim.keyId, new Set(owners.has(claim.keyId) ? [] : [nameText(claim)]));
  return owners;
}

/**
 * Returns true if a keyId belongs to other MasterKeys, and not to this MasterKey. Anybody who may write a status
 * could claim any keyId.
 */
export function isForeignKeyId(keyId: string, name: ObjectName, owners: Owners): boolean {
  const names = owners.get(keyId);
  return names !== undefined && !names.has(nameText(name));
}
