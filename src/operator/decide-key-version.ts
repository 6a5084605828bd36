import { type KeyId, kmsKeyId, type VersionId } from "../crypto/ids.ts";
import { isLater } from "../keyring/rows.ts";
import type { KeyVersion, KeyVersionStatus, MasterKey } from "../kube/resources.ts";

/**
 * Where a version is in its life, by its MasterKey's current one. Without its
 * MasterKey a version stays as it is: it still decrypts, and can be adopted.
 */
export function decideKeyVersionStatus(
  version: KeyVersion,
  masterKey: MasterKey | undefined,
): KeyVersionStatus {
  const id = kmsKeyId(version.spec.keyId as KeyId, version.spec.versionId as VersionId);
  const state = stateOf(version, masterKey) ?? version.status?.state ?? "Pending";
  return { state, kmsKeyId: id };
}

function stateOf({ spec }: KeyVersion, masterKey: MasterKey | undefined): KeyVersionStatus["state"] {
  if (masterKey?.status?.keyId !== spec.keyId) return undefined;
  const current = masterKey.status.currentVersion;
  if (current === undefined || isLater(spec, current)) return "Pending";
  return spec.versionId === current.versionId ? "Current" : "Retired";
}
