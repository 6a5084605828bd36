import type { KeyId } from "../crypto/ids.ts";
import type { ObjectName } from "../names.ts";
import type { AliasRow, KeyRow, TombstoneRow, VersionRow } from "./rows.ts";

export type PutKey = Pick<KeyRow, "namespace" | "name" | "keyId" | "enabled" | "deletionDate">;

/**
 * One change to a keyring. A list of them is one transaction: all or nothing, in order. A row
 * that cannot be read is never changed: what it records might be lost.
 */
export type KeyringChange =
  /**
   * Stores a version. Of a version that is stored already, this replaces all that its seal does not bind:
   * the seal itself (re-sealing), the owner and the validTo. The caller has checked their proof.
   */
  | { readonly kind: "putVersion"; readonly version: VersionRow }
  /** Names a key and says whether it may be used. The current version is left as it is. */
  | { readonly kind: "putKey"; readonly key: PutKey }
  /** Makes a stored version the one that encrypts; never one of a lower number. */
  | { readonly kind: "setCurrent"; readonly key: ObjectName; readonly version: VersionRow }
  /** Gives a name its own key back after it was led to another MasterKey's (repair.ts): the one way back to a former keyId. */
  | { readonly kind: "reclaimKey"; readonly key: ObjectName; readonly version: VersionRow }
  /** Points an alias, and records what it leaves; adds the former targets that are given, as a backup has them. */
  | { readonly kind: "putAlias"; readonly alias: AliasRow }
  /** Records the keyIds that a stored key's name encrypted under before, as a backup has them. */
  | { readonly kind: "putFormerKeyIds"; readonly key: ObjectName; readonly keyIds: readonly KeyId[] }
  /** Takes a version out for ever and keeps the tombstone, also of a version that never was here. */
  | { readonly kind: "destroyVersion"; readonly tombstone: TombstoneRow };
