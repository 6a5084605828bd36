import type { KeyId } from "../crypto/ids.ts";
import type { ObjectName } from "../names.ts";
import type { AliasRow, KeyRow, TombstoneRow, VersionRow } from "./rows.ts";
import type { KeyPolicy } from "./tables/key-policies.ts";

export type PutKey = Pick<KeyRow, "namespace" | "name" | "keyId" | "enabled" | "deletionDate">;

/**
 * A change to a keyring. A list of changes is one transaction: all or nothing, in order. An unreadable row is
 * never changed, because its record might be lost.
 */
export type KeyringChange =
  /**
   * Stores a version. If the version is stored already, this replaces everything that its seal does not bind:
   * the seal itself (re-sealing), the owner and the validTo. The caller has checked their proof.
   */
  | { readonly kind: "putVersion"; readonly version: VersionRow }
  /** Names a key and says if it may be used. The current version is not changed. */
  | { readonly kind: "putKey"; readonly key: PutKey }
  /** Stores the key policy of a name, or removes it. */
  | { readonly kind: "putPolicy"; readonly policy: KeyPolicy }
  | { readonly kind: "removePolicy"; readonly key: ObjectName }
  /** Makes a stored version the version that encrypts; never one with a lower number. */
  | { readonly kind: "setCurrent"; readonly key: ObjectName; readonly version: VersionRow }
  /** Removes a name that never encrypted, and whose keyId is another MasterKey's. */
  | { readonly kind: "forgetKey"; readonly key: ObjectName }
  /**
   * Gives a name its own key back after it was moved to another MasterKey's key (repair.ts): the only way
   * back to a former keyId.
   */
  | { readonly kind: "reclaimKey"; readonly key: ObjectName; readonly version: VersionRow }
  /**
   * Points an alias to a key, and records the key that it leaves. Adds the given former targets, as in a
   * backup.
   */
  | { readonly kind: "putAlias"; readonly alias: AliasRow }
  /** Records the keyIds under which a stored key's name encrypted before, as in a backup. */
  | { readonly kind: "putFormerKeyIds"; readonly key: ObjectName; readonly keyIds: readonly KeyId[] }
  /** Removes a version for ever and keeps the tombstone, even if the version was never here. */
  | { readonly kind: "destroyVersion"; readonly tombstone: TombstoneRow };
