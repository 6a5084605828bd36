import type { KeyVersion, MasterKey } from "../kube/resources.ts";

/** Lowest number first; equal numbers (a restore can bring a second one) by id, so that all nodes agree. */
export function byNumber(a: KeyVersion, b: KeyVersion): number {
  if (a.spec.number !== b.spec.number) return a.spec.number - b.spec.number;
  return a.spec.versionId < b.spec.versionId ? -1 : 1;
}

/** The versions of a key, lowest number first. */
export const versionsOf = (keyId: string | undefined, versions: readonly KeyVersion[]): KeyVersion[] =>
  versions.filter((version) => version.spec.keyId === keyId).sort(byNumber);

/**
 * The version that should become current next: the newest one, where that is
 * newer than the current one. Nodes test and report it, the leader promotes it.
 */
export function promotionCandidate(
  masterKey: MasterKey,
  versions: readonly KeyVersion[],
): KeyVersion | undefined {
  const newest = versionsOf(masterKey.status?.keyId, versions).at(-1);
  const current = masterKey.status?.currentVersion?.number ?? 0;
  return newest !== undefined && newest.spec.number > current ? newest : undefined;
}
