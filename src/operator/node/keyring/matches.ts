import { isDeepStrictEqual } from "node:util";
import type { VersionRow } from "../../../keyring/rows.ts";
import { sameBinding, sameSeal, toOwnershipSpec } from "../../../resources/key-version-rows.ts";
import type { Match, SealDifference } from "./keyring-plan.ts";

/** Splits a list into the elements for which a condition holds, and the others. */
export function partition<T>(elements: readonly T[], holds: (element: T) => boolean): [T[], T[]] {
  const parts: [T[], T[]] = [[], []];
  for (const element of elements) parts[holds(element) ? 0 : 1].push(element);
  return parts;
}

export const versionIdOf = ({ theirs }: { readonly theirs: VersionRow }): string => theirs.versionId;

/** Returns the first offer of each versionId. */
export function firstOfEach<T extends { readonly theirs: VersionRow }>(offers: readonly T[]): T[] {
  const first = new Map<string, T>();
  for (const offer of offers) if (!first.has(versionIdOf(offer))) first.set(versionIdOf(offer), offer);
  return [...first.values()];
}

export function sealDifferences(consistent: readonly Match[]): SealDifference[] {
  const same = consistent.filter(({ mine, theirs }) => sameSeal(mine, theirs));
  const ours = new Set(same.map(versionIdOf));
  return consistent
    .filter(({ mine, theirs }) => !sameSeal(mine, theirs))
    .map((match) => ({ ...match, oursIsThere: ours.has(versionIdOf(match)) }));
}

/** If an unverified proof was stored, it would take precedence over the genuine proof. */
export const withoutProof = ({ ownership: _, ...version }: VersionRow): VersionRow => version;

/** Returns true if a KeyVersion's proof is later than this node's, or the first. */
export function isBetterProven({ mine, theirs, object }: Match, proven: ReadonlySet<string>): boolean {
  if (!proven.has(object.metadata.name) || !sameBinding(mine, theirs)) return false;
  const [ours, other] = [mine.ownership, theirs.ownership];
  if (ours === undefined || other === undefined) return other !== undefined;
  if (other.revision !== ours.revision) return other.revision > ours.revision;
  // Two leaders made a proof at the same time: every node takes the later end.
  return (theirs.validTo ?? Infinity) > (mine.validTo ?? Infinity);
}

/** Times in resources have whole seconds. */
export const sameExpiry = (a: VersionRow, b: VersionRow): boolean =>
  Math.floor((a.validTo ?? 0) / 1000) === Math.floor((b.validTo ?? 0) / 1000);

/**
 * A proof that only the API server has is no difference to correct: it is either accepted, or was not made
 * with our root key.
 */
export function sameOwnership({ mine, theirs, object }: Match): boolean {
  const strayExpiry = theirs.origin !== "EXTERNAL" && object.spec.validTo !== undefined;
  if (strayExpiry || !sameExpiry(mine, theirs)) return false;
  if (mine.ownership === undefined) return true;
  return isDeepStrictEqual(toOwnershipSpec(mine.ownership), object.spec.ownership);
}
