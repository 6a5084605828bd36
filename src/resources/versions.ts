import { type KeyId, type KmsKeyId, kmsKeyId, parseKeyId, type VersionId } from "../crypto/ids.ts";
import { mayRotate } from "../crypto/key-specs.ts";
import { ClavigerError } from "../errors.ts";
import { isLater } from "../keyring/rows.ts";
import { isVersionNumber } from "../keyring/version-number.ts";
import { firstFew } from "./first-few.ts";
import type { KeyVersion, MasterKey } from "./resources.ts";

/** Returns the keyId of a MasterKey that has one. Throws Internal otherwise: the caller must check before. */
export function toKeyId({ metadata, status }: MasterKey): KeyId {
  if (status?.keyId !== undefined) return parseKeyId(status.keyId);
  throw new ClavigerError("Internal", `MasterKey ${metadata.namespace}/${metadata.name} has no keyId`);
}

/** The spec and usage of a key, which never change, neither for a key nor for a name that nodes serve. */
export type KeyKind = Pick<KeyVersion["spec"], "keySpec" | "keyUsage">;

/** Returns true if a MasterKey gets further versions, by itself or on request. */
export const rotates = ({ spec }: Pick<MasterKey, "spec">): boolean => mayRotate(spec.keySpec);

export const isAlike = (a: KeyKind, b: KeyKind): boolean =>
  a.keySpec === b.keySpec && a.keyUsage === b.keyUsage;

/** Compares versions by their order, earliest first. */
export const byPosition = (a: KeyVersion, b: KeyVersion): number => (isLater(a.spec, b.spec) ? 1 : -1);

/**
 * Compares versions by age, oldest first, and within a second by number and name, so that everybody has the
 * same order: a copy under a later number, made at once, must not come before its original.
 */
export function byAge(a: KeyVersion, b: KeyVersion): number {
  const [older, newer] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  if (older !== newer) return older < newer ? -1 : 1;
  if (a.spec.number !== b.spec.number) return a.spec.number - b.spec.number;
  return a.metadata.name < b.metadata.name ? -1 : 1;
}

/**
 * Returns the versions of a key, earliest first. A younger KeyVersion with the versionId of another is left
 * out, and so is a version whose number no node can store.
 */
export function versionsOf(keyId: string | undefined, versions: readonly KeyVersion[]): KeyVersion[] {
  const first = new Map<string, KeyVersion>();
  for (const version of versions.filter((version) => isOf(keyId, version)).sort(byAge)) {
    if (!first.has(version.spec.versionId)) first.set(version.spec.versionId, version);
  }
  return [...first.values()].sort(byPosition);
}

const isOf = (keyId: string | undefined, { spec }: KeyVersion): boolean =>
  spec.keyId === keyId && isVersionNumber(spec.number);

/**
 * Returns the version that should become current next: the newest version, if it is newer than the current
 * version. Nodes test and report it, the leader promotes it.
 */
export function promotionCandidate(
  masterKey: MasterKey,
  versions: readonly KeyVersion[],
): KeyVersion | undefined {
  const own = versionsOf(masterKey.status?.keyId, versions).filter(hasMaterial);
  const newest = own.findLast(({ spec }) => isAlike(spec, masterKey.spec));
  const current = masterKey.status?.currentVersion;
  if (newest === undefined || current === undefined) return newest;
  return isLater(newest.spec, current) ? newest : undefined;
}

/** Lists the versions' numbers, for a message. */
export const listNumbers = (versions: readonly KeyVersion[]): string =>
  firstFew(
    versions.map(({ spec }) => spec.number),
    20,
  );

/** Returns the key_id that the API server stores with the ciphertexts of a version. */
export const kmsKeyIdOf = ({ spec }: Pick<KeyVersion, "spec">): KmsKeyId =>
  hashedOnce(spec, spec.keyId as KeyId, spec.versionId as VersionId);

/** Returns the same for a version in the keyring. */
export const kmsKeyIdOfRow = (row: { readonly keyId: KeyId; readonly versionId: VersionId }): KmsKeyId =>
  hashedOnce(row, row.keyId, row.versionId);

const kmsKeyIds = new WeakMap<object, KmsKeyId>();

/**
 * A cache, because each pass asks for every version. Objects of a view and rows of a keyring never change.
 */
function hashedOnce(of: object, keyId: KeyId, versionId: VersionId): KmsKeyId {
  const known = kmsKeyIds.get(of);
  if (known !== undefined) return known;
  const id = kmsKeyId(keyId, versionId);
  kmsKeyIds.set(of, id);
  return id;
}

/** Returns true if a version is more than a tombstone. */
export const hasMaterial = ({ spec }: Pick<KeyVersion, "spec">): boolean => spec.seal !== undefined;
