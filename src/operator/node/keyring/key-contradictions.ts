import type { KeyRow, VersionRow } from "../../../keyring/rows.ts";
import { nameText } from "../../../names.ts";
import { objectName } from "../../../resources/object-text.ts";
import type { MasterKey } from "../../../resources/resources.ts";
import { isForeignKeyId } from "../../claims/owners.ts";
import { type Held, isDeletionInUse, isOtherKind, isOwn, wasLeft } from "./key-changes.ts";

/** Describes a name that an earlier release, which believed any status, moved to another MasterKey's key. */
export function ledAstray(row: KeyRow, have: ReadonlyMap<string, VersionRow>): string[] {
  const current = have.get(row.current?.versionId ?? "");
  if (current === undefined || nameText(current.masterKey) === nameText(row)) return [];
  const name = nameText(row);
  return [
    `MasterKey ${name} encrypts under version ${current.number} of MasterKey ${nameText(current.masterKey)} on this node, which somebody led it to: stop its operator and run claviger repair ${name}`,
  ];
}

/** Returns true if the MasterKey's current version is not served here because it is imported. */
export function isImported(masterKey: MasterKey, { have, rows, guard }: Held): boolean {
  const name = nameText(objectName(masterKey));
  const { status } = masterKey;
  const row = rows.get(name);
  const next = have.get(status?.currentVersion?.versionId ?? "");
  return guard.refuses(name, next, have.get(row?.current?.versionId ?? ""));
}

/**
 * Describes a MasterKey whose keyId went back, in a restored etcd for example, or that is now another kind of
 * key.
 */
export function keyIdContradictions(masterKey: MasterKey, held: Held): string[] {
  const { have, served } = held;
  const { status } = masterKey;
  const named = objectName(masterKey);
  const name = nameText(named);
  const row = held.rows.get(name);
  const keyId = status?.keyId;
  if (keyId === undefined) return [];
  if (isForeignKeyId(keyId, named, held.owners)) {
    return [
      `MasterKey ${name} has keyId ${keyId} in its status, which is another MasterKey's key, or is claimed by several without a version that says whose it is: it is not followed; delete the object and create it again, which gives it its own key back`,
    ];
  }
  const version = have.get(status?.currentVersion?.versionId ?? "");
  if (version !== undefined && !isOwn(version, keyId, named)) {
    return [
      `MasterKey ${name} names version ${version.number} of MasterKey ${nameText(version.masterKey)} as its current one: it is not followed, and the leader puts the status right`,
    ];
  }
  if (isDeletionInUse(masterKey, row, served)) {
    return [
      `MasterKey ${name} is said to be pending deletion, and a provider of this node serves it: it continues to be served; take spec.deletion out`,
    ];
  }
  if (row === undefined || row.keyId === keyId) return [];
  if (wasLeft(row, keyId)) {
    return [
      `MasterKey ${name} has keyId ${keyId}, which this node left for ${row.keyId}: it encrypts under that on, as a key_id must not return`,
    ];
  }
  const promoted = have.get(status?.currentVersion?.versionId ?? "");
  if (promoted?.keyId !== keyId || !isOtherKind(row, promoted, have)) return [];
  return [
    `MasterKey ${name} has keyId ${keyId}, which is another kind of key than ${row.keyId}: this node serves ${row.keyId} on`,
  ];
}
