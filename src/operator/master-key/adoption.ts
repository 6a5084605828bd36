import type { KeyId } from "../../crypto/ids.ts";
import type { VersionRow } from "../../keyring/rows.ts";
import { nameText } from "../../names.ts";
import { objectText } from "../../resources/object-text.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import { byAge, isAlike, type KeyKind } from "../../resources/versions.ts";

/**
 * The key under which a keyring encrypts for a name: its keyId, and the spec and usage of its current
 * version.
 */
export type HeldKey = Pick<VersionRow, "keyId" | "keySpec" | "keyUsage">;

export type Adoption =
  | { readonly kind: "adopt"; readonly keyId: KeyId }
  /** The nodes serve another kind of key under this name: a sentence that says so. */
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "nothing" };

/**
 * Decides which keyId a MasterKey without one adopts: the keyId of the newest version that names it, whoever
 * created it and whenever, or otherwise the keyId in the leader's own keyring, whose versions may be on their
 * way back. Only versions of its keySpec and keyUsage can be its own. If there are only others, a new keyId
 * would take the name from the key that the nodes serve under it.
 */
export function decideAdoption(
  masterKey: MasterKey,
  versions: readonly KeyVersion[],
  held: HeldKey | undefined,
): Adoption {
  const named = versionsNaming(masterKey, versions).sort(byAge);
  const newest = named.findLast(({ spec }) => isAlike(spec, masterKey.spec));
  if (newest !== undefined) return { kind: "adopt", keyId: newest.spec.keyId as KeyId };
  if (held !== undefined && isAlike(held, masterKey.spec)) return { kind: "adopt", keyId: held.keyId };
  const other = named.at(-1)?.spec ?? held;
  if (other === undefined) return { kind: "nothing" };
  return {
    kind: "refused",
    message: `${objectText(masterKey)} is a key of ${kindText(other)} on the nodes and this MasterKey is of ${kindText(masterKey.spec)}: create it again with the former keySpec and keyUsage, which adopts its versions, or use another name`,
  };
}

/** Describes the versions that name a MasterKey and cannot be its own; undefined if there are none. */
export function foreignVersions(masterKey: MasterKey, versions: readonly KeyVersion[]): string | undefined {
  const foreign = versionsNaming(masterKey, versions).filter(({ spec }) => !isAlike(spec, masterKey.spec));
  const [first] = foreign.sort(byAge);
  if (first === undefined) return undefined;
  const others = foreign.length === 1 ? "" : ` and ${foreign.length - 1} more`;
  return `KeyVersion ${first.metadata.name}${others} names this MasterKey and is of ${kindText(first.spec)}: it is not this key's`;
}

const kindText = ({ keySpec, keyUsage }: KeyKind): string => `${keySpec} for ${keyUsage}`;

const versionsNaming = (masterKey: MasterKey, versions: readonly KeyVersion[]): KeyVersion[] =>
  versions.filter(({ spec }) => nameText(spec.masterKey) === objectText(masterKey));
