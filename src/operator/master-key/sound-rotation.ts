import type { KeyVersion } from "../../resources/resources.ts";
import { versionsOf } from "../../resources/versions.ts";
import type { ObservedMasterKey } from "./observed-master-key.ts";

/** Uses only the versions, because anybody may have written the status. */
export const nextNumber = (known: readonly KeyVersion[]): number => (known.at(-1)?.spec.number ?? 0) + 1;

/**
 * Returns the MasterKey without a running rotation that the versions contradict, that is, with a number
 * before the current version or after the next. Such a rotation would never end, and its number cannot be
 * trusted.
 */
export function withSoundRotation(observed: ObservedMasterKey): ObservedMasterKey {
  const { masterKey, versions } = observed;
  const running = masterKey.status?.rotation?.running;
  if (masterKey.status?.keyId === undefined || running === undefined) return observed;
  const known = versionsOf(masterKey.status.keyId, versions);
  const current = masterKey.status.currentVersion;
  const there = known.some(({ spec }) => spec.versionId === current?.versionId);
  // Versions that are on their way back may make it valid again.
  const isSound = running.number >= (current?.number ?? 0) && running.number <= nextNumber(known);
  if (!there || isSound) return observed;
  const { running: _, ...rotation } = masterKey.status.rotation ?? {};
  return { ...observed, masterKey: { ...masterKey, status: { ...masterKey.status, rotation } } };
}
