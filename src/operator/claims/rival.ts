import type { KeyRow } from "../../keyring/rows.ts";
import { nameText } from "../../names.ts";
import { objectText } from "../../resources/object-text.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import type { LeaderKeyring } from "./leader-keyring.ts";
import type { ViewIndex } from "./view-index.ts";

/**
 * Returns the NAMESPACE/NAME of another MasterKey that has the keyId of this MasterKey's status; undefined if a
 * version says whose the keyId is, or the leader's keyring has it for this MasterKey alone. No version may be
 * created under the keyId while there is a rival: the first version would decide whose it is.
 */
export function rivalOf(
  masterKey: MasterKey,
  versions: readonly KeyVersion[],
  index: ViewIndex,
  keyring: Pick<LeaderKeyring, "keys">,
): string | undefined {
  const keyId = masterKey.status?.keyId;
  if (keyId === undefined || index.record.knowsOwner(keyId)) return undefined;
  if (versions.some(({ spec }) => spec.keyId === keyId)) return undefined;
  const recorded = (rowsByKeyId(keyring.keys()).get(keyId) ?? []).map(nameText);
  const known = recorded.length > 0 ? recorded : [...index.claimantsOf(keyId)].map(objectText);
  return known.find((name) => name !== objectText(masterKey));
}

/** A keyring returns the same list until a row changes. */
const indexes = new WeakMap<readonly KeyRow[], ReadonlyMap<string, readonly KeyRow[]>>();

function rowsByKeyId(keys: readonly KeyRow[]): ReadonlyMap<string, readonly KeyRow[]> {
  const index = indexes.get(keys) ?? Map.groupBy(keys, ({ keyId }) => keyId);
  indexes.set(keys, index);
  return index;
}
