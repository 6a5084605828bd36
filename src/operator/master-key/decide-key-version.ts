import { isLater } from "../../keyring/rows.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import type { KeyVersionStatus } from "../../resources/schemas/key-version.ts";
import { kmsKeyIdOf } from "../../resources/versions.ts";

/**
 * Decides the state of a version by its MasterKey's current version. Without its MasterKey a version keeps
 * its state: it still decrypts, and can be adopted; a deletion in progress continues.
 */
export function decideKeyVersionStatus(
  version: KeyVersion,
  masterKey: MasterKey | undefined,
): KeyVersionStatus {
  const id = kmsKeyIdOf(version);
  const state = stateOf(version, masterKey) ?? version.status?.state ?? "Pending";
  const trigger = version.status?.trigger ?? triggerOf(version, masterKey);
  const its = masterKey?.status?.keyId === version.spec.keyId ? masterKey : version;
  const deletion = its.status?.deletion;
  const erasedAt = state === "Destroyed" ? version.status?.erasedAt : undefined;
  return {
    state,
    kmsKeyId: id,
    ...(trigger !== undefined && { trigger }),
    ...datesOf(version, state, masterKey),
    ...(deletion !== undefined && { deletion }),
    ...(erasedAt !== undefined && { erasedAt }),
  };
}

/** Known while its rotation is the running or the last rotation. */
function triggerOf({ spec }: KeyVersion, masterKey: MasterKey | undefined): KeyVersionStatus["trigger"] {
  if (masterKey?.status?.keyId !== spec.keyId) return undefined;
  const { running, last } = masterKey.status.rotation ?? {};
  return [running, last].find((rotation) => rotation?.number === spec.number)?.trigger;
}

function datesOf(
  { status }: KeyVersion,
  state: KeyVersionStatus["state"],
  masterKey: MasterKey | undefined,
): Pick<KeyVersionStatus, "promotedAt" | "retiredAt"> {
  const turned = masterKey?.status?.currentVersion?.promotedAt;
  const promotedAt = status?.promotedAt ?? (state === "Current" ? turned : undefined);
  const retiredAt = status?.retiredAt ?? (state === "Retired" ? turned : undefined);
  return {
    ...(promotedAt !== undefined && { promotedAt }),
    // A restored MasterKey can make a retired version current again until the nodes hand the later version
    // back.
    ...(retiredAt !== undefined && (state === "Retired" || state === "Destroyed") && { retiredAt }),
  };
}

function stateOf({ spec }: KeyVersion, masterKey: MasterKey | undefined): KeyVersionStatus["state"] {
  if (spec.destroyed !== undefined) return "Destroyed";
  if (masterKey?.status?.keyId !== spec.keyId) return undefined;
  const current = masterKey.status.currentVersion;
  if (current === undefined || isLater(spec, current)) return "Pending";
  return spec.versionId === current.versionId ? "Current" : "Retired";
}
