import type { KeyId } from "../../crypto/ids.ts";
import type { AliasRow } from "../../keyring/rows.ts";
import type { KeyAlias, MasterKey } from "../../resources/resources.ts";
import type { KeyAliasStatus } from "../../resources/schemas/key-alias.ts";

/** The leader's own record of an alias that its keyring serves. */
export interface HeldAlias extends Pick<AliasRow, "masterKey" | "formerTargets"> {
  /** The keyId of that MasterKey, if the keyring has it. */
  readonly keyId?: KeyId;
}

/**
 * Returns an alias with its former status, if the API server has lost the status or was restored to an
 * earlier one: the key to which it points on the nodes, and the keys that it left. `served` is the MasterKey
 * that its status names.
 */
export function rememberAlias(
  alias: KeyAlias,
  held: HeldAlias | undefined,
  served: MasterKey | undefined,
): KeyAlias {
  if (held === undefined) return alias;
  const { status } = alias;
  const former = mergeFormer(status?.formerTargets ?? [], held.formerTargets ?? []);
  const formerTargets = former.length === 0 ? {} : { formerTargets: former };
  if (status?.masterKey !== undefined && !isBehind(status, held, served)) {
    return { ...alias, status: { ...status, ...formerTargets } };
  }
  const { keyId: _, masterKey: __, ...rest } = status ?? {};
  const points = { masterKey: held.masterKey, ...(held.keyId !== undefined && { keyId: held.keyId }) };
  return { ...alias, status: { ...rest, ...points, ...formerTargets } };
}

/**
 * Returns true if the node has left the key that the status names, and that key has no later version since.
 */
function isBehind({ keyId, masterKey }: KeyAliasStatus, held: HeldAlias, served: MasterKey | undefined) {
  if (masterKey === held.masterKey) return false;
  const left = held.formerTargets?.find((former) => former.keyId === keyId);
  return left !== undefined && (served?.status?.currentVersion?.number ?? 0) <= left.number;
}

type FormerTargets = NonNullable<KeyAliasStatus["formerTargets"]>;

/** Merges former targets. Each key occurs once, with the higher number. */
function mergeFormer(stated: FormerTargets, held: FormerTargets): FormerTargets {
  const byKey = new Map(stated.map(({ keyId, number }) => [keyId, number]));
  for (const { keyId, number } of held) byKey.set(keyId, Math.max(number, byKey.get(keyId) ?? 0));
  return [...byKey].map(([keyId, number]) => ({ keyId, number }));
}
