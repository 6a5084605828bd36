import { parseKeyId } from "../../../crypto/ids.ts";
import type { KeyringChange } from "../../../keyring/changes.ts";
import { isLater, type KeyRow, type VersionRow } from "../../../keyring/rows.ts";
import type { PolicyStamp } from "../../../keyring/tables/key-policies.ts";
import { nameText, type ObjectName } from "../../../names.ts";
import { objectName } from "../../../resources/object-text.ts";
import type { MasterKey } from "../../../resources/resources.ts";
import { isAlike } from "../../../resources/versions.ts";
import type { ImportedGuard } from "../../alias/imported-guard.ts";
import { isForeignKeyId, type Owners } from "../../claims/owners.ts";
import { policyChanges } from "./policy-changes.ts";

/** The facts of this node that a MasterKey's changes depend on. */
export interface Held {
  /** The MasterKeys that this node has, by NAMESPACE/NAME. */
  readonly rows: ReadonlyMap<string, KeyRow>;
  /** The versions that this node has. */
  readonly have: ReadonlyMap<string, VersionRow>;
  /** The owners of all keyIds (`keyIdOwners`). */
  readonly owners: Owners;
  /** versionIds that its own providers serve. */
  readonly served: ReadonlySet<string>;
  readonly guard: ImportedGuard;
  /** The key policies that this node has, by NAMESPACE/NAME. */
  readonly policies: ReadonlyMap<string, PolicyStamp>;
}

/** Returns the changes of the keyring for one MasterKey. */
export function keyChanges(masterKey: MasterKey, held: Held): KeyringChange[] {
  const { have, served, guard } = held;
  const { spec, status } = masterKey;
  if (status?.keyId === undefined) return [];
  const name = objectName(masterKey);
  const row = held.rows.get(nameText(name));
  const { enabled } = spec;
  if (isForeignKeyId(status.keyId, name, held.owners)) {
    if (row !== undefined && hasOnly(row, status.keyId)) return [{ kind: "forgetKey", key: name }];
    return row === undefined || row.enabled === enabled ? [] : [{ kind: "putKey", key: { ...row, enabled } }];
  }
  const version = have.get(status.currentVersion?.versionId ?? "");
  const refused = guard.refuses(nameText(name), version, have.get(row?.current?.versionId ?? ""));
  const mayServe = version !== undefined && isOwn(version, status.keyId, name) && !refused;
  const promoted = mayServe ? version : undefined;
  const deletionDate = isDeletionInUse(masterKey, row, served)
    ? undefined
    : spec.deletion && status.deletion?.deletionDate;
  // The old key is served until the new key can encrypt, and disabled by its name all the while.
  if (row !== undefined && row.keyId !== status.keyId && keepsKeyId(row, status.keyId, promoted, have)) {
    // The deletion belongs to the old key, and is not changed.
    return row.enabled === enabled ? [] : [{ kind: "putKey", key: { ...row, enabled } }];
  }
  const key = {
    ...name,
    keyId: parseKeyId(status.keyId),
    enabled,
    ...(deletionDate !== undefined && { deletionDate }),
  };
  // In the same transaction as the key's row, and before it: nobody finds the key without its policy.
  const changes = policyChanges(masterKey, key, held.policies.get(nameText(name)));
  const same = row?.keyId === key.keyId && row.enabled === enabled && row.deletionDate === deletionDate;
  if (!same) changes.push({ kind: "putKey", key });
  const current = row?.keyId === key.keyId ? row.current : undefined;
  if (promoted !== undefined && (current === undefined || isLater(promoted, current))) {
    changes.push({ kind: "setCurrent", key: name, version: promoted });
  }
  return changes;
}

/** Returns true if a name has this keyId and has never encrypted. */
const hasOnly = ({ keyId, current, formerKeyIds }: KeyRow, claimed: string): boolean =>
  keyId === claimed && current === undefined && formerKeyIds.length === 0;

/**
 * Returns true if a version is a MasterKey's own: it has its keyId, and is proven or recorded under its name.
 */
export const isOwn = (version: VersionRow, keyId: string, name: ObjectName): boolean =>
  version.keyId === keyId && nameText(version.masterKey) === nameText(name);

/**
 * A deletion is accepted only for a key that nobody uses. A key that this node's own providers serve is in
 * use, whatever a status says; an already recorded deletion continues.
 */
export const isDeletionInUse = (
  { spec, status }: MasterKey,
  row: KeyRow | undefined,
  served: ReadonlySet<string>,
): boolean =>
  spec.deletion !== undefined &&
  status?.deletion !== undefined &&
  row?.deletionDate === undefined &&
  served.has(row?.current?.versionId ?? "");

/** A name does not return to a keyId that it left, even if the key for which it left was destroyed since. */
function keepsKeyId(
  row: KeyRow,
  keyId: string,
  promoted: VersionRow | undefined,
  have: ReadonlyMap<string, VersionRow>,
): boolean {
  if (wasLeft(row, keyId)) return true;
  return row.current !== undefined && (promoted === undefined || isOtherKind(row, promoted, have));
}

/** Returning to a keyId would bring its key_ids back. */
export const wasLeft = (row: KeyRow, keyId: string): boolean =>
  row.formerKeyIds.some((former) => former === keyId);

/** A served name never becomes another kind of key, because its callers could not use it. */
export function isOtherKind(
  { current }: KeyRow,
  promoted: VersionRow,
  have: ReadonlyMap<string, VersionRow>,
) {
  const served = have.get(current?.versionId ?? "");
  return served !== undefined && !isAlike(served, promoted);
}
