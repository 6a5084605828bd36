import { nameText, type ObjectName } from "../../names.ts";
import { objectName, objectText } from "../../resources/object-text.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";

/**
 * The versions of one keyId, and everybody concerned with them: a KeyVersion may name any MasterKey that its
 * writer likes.
 */
export interface RetiringKey {
  readonly keyId: string;
  readonly versions: readonly KeyVersion[];
  readonly owners: readonly KeyOwner[];
}

/** A name that has the keyId, or that a version names, and its MasterKey, if there is one. */
export interface KeyOwner {
  readonly name: ObjectName;
  readonly masterKey: MasterKey | undefined;
}

/** Returns the keys of which something may have to be destroyed. Most keys are dismissed at one look. */
export function retiringKeys(
  versions: readonly KeyVersion[],
  masterKeys: readonly MasterKey[],
): RetiringKey[] {
  const owners = ownersAmong(masterKeys);
  return [...Map.groupBy(versions, ({ spec }) => spec.keyId)]
    .map(([keyId, its]) => ({ keyId, versions: its, owners: owners(keyId, its) }))
    .filter(isRetiring);
}

/** Returns the versions of a keyId with their owners. */
export const retiringKey = (
  keyId: string,
  versions: readonly KeyVersion[],
  masterKeys: readonly MasterKey[],
): RetiringKey => ({ keyId, versions, owners: ownersAmong(masterKeys)(keyId, versions) });

type FindOwners = (keyId: string, versions: readonly KeyVersion[]) => KeyOwner[];

/** Walks the MasterKeys once for all keys. */
function ownersAmong(masterKeys: readonly MasterKey[]): FindOwners {
  const byName = new Map(masterKeys.map((key) => [objectText(key), key]));
  const byKeyId = Map.groupBy(masterKeys, ({ status }) => status?.keyId);
  return (keyId, versions) => {
    const having = byKeyId.get(keyId) ?? [];
    const names = [...having.map(objectName), ...versions.map(({ spec }) => spec.masterKey)];
    const unique = new Map(names.map((name) => [nameText(name), name]));
    return [...unique].map(([text, name]) => ({ name, masterKey: byName.get(text) }));
  };
}

const isRetiring = ({ versions, owners }: RetiringKey): boolean =>
  owners.some(({ masterKey }) => masterKey?.spec.retention?.policy === "Destroy") ||
  versions.some(
    ({ spec, status }) =>
      status?.deletion !== undefined || (spec.destroyed !== undefined && status?.erasedAt === undefined),
  );
