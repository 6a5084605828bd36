import { type KeyId, parseKeyId } from "../crypto/ids.ts";
import { ClavigerError } from "../errors.ts";
import { isLater } from "../keyring/rows.ts";
import type { KeyVersion, MasterKey } from "../kube/resources.ts";

/** The keyId of a MasterKey that has one. Throws Internal otherwise: whoever asks has looked. */
export function toKeyId({ metadata, status }: MasterKey): KeyId {
  if (status?.keyId !== undefined) return parseKeyId(status.keyId);
  throw new ClavigerError("Internal", `MasterKey ${metadata.namespace}/${metadata.name} has no keyId`);
}

/** Earliest first. */
const byPosition = (a: KeyVersion, b: KeyVersion): number => (isLater(a.spec, b.spec) ? 1 : -1);

/** The versions of a key, earliest first. */
export const versionsOf = (keyId: string | undefined, versions: readonly KeyVersion[]): KeyVersion[] =>
  versions.filter((version) => version.spec.keyId === keyId).sort(byPosition);

/**
 * The version that should become current next: the newest one, where that is
 * newer than the current one. Nodes test and report it, the leader promotes it.
 */
export function promotionCandidate(
  masterKey: MasterKey,
  versions: readonly KeyVersion[],
): KeyVersion | undefined {
  const newest = versionsOf(masterKey.status?.keyId, versions).filter(hasMaterial).at(-1);
  const current = masterKey.status?.currentVersion;
  if (newest === undefined || current === undefined) return newest;
  return isLater(newest.spec, current) ? newest : undefined;
}

/** Whether a version is more than a tombstone. */
export const hasMaterial = ({ spec }: Pick<KeyVersion, "spec">): boolean => spec.seal !== undefined;
