import { isDeepStrictEqual } from "node:util";
import type { VersionRow } from "../../../keyring/rows.ts";
import { sameBinding, sameSeal, toOwnershipSpec } from "../../../resources/key-version-rows.ts";
import type { Match, SealDifference } from "./keyring-plan.ts";

/** The elements of which something holds, and the others. */
export function partition<T>(elements: readonly T[], holds: (element: T) => boolean): [T[], T[]] {
  const parts: [T[], T[]] = [[], []];
  for (const element of elements) parts[holds(element) ? 0 : 1].push(element);
  return parts;
}

export const versionIdOf = ({ theirs }: { readonly theirs: VersionRow }): string => theirs.versionId;

/** The first offer of each versionId. */
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

/** Stored, a proof that nobody has verified would be held against the genuine one. */
export const withoutProof = ({ ownership: _, ...version }: VersionRow): VersionRow => version;

/** Whether a KeyVersion's proof is later than the one that this node has, or the first. */
export function isBetterProven({ mine, theirs, object }: Match, proven: ReadonlySet<string>): boolean {
  if (!proven.has(object.metadata.name) || !sameBinding(mine, theirs)) return false;
  const [ours, other] = [mine.ownership, theirs.ownership];
  if (ours === undefined || other === undefined) return other !== undefined;
  if (other.revision !== ours.revision) return other.revision > ours.revision;
  // Two leaders proved at once: every node takes the later end.
  return (theirs.validTo ?? Infinity) > (mine.validTo ?? Infinity);
}

/** Resources have whole seconds. */
export const sameExpiry = (a: VersionRow, b: VersionRow): boolean =>
  Math.floor((a.validTo ?? 0) / 1000) === Math.floor((b.validTo ?? 0) / 1000);

/** A proof that only the API server has is no difference to mend: it is taken, or was not made with our root key. */
export function sameOwnership({ mine, theirs, object }: Match): boolean {
  const strayExpiry = theirs.origin !== "EXTERNAL" && object.spec.validTo !== undefined;
  if (strayExpiry || !sameExpiry(mine, theirs)) return false;
  if (mine.ownership === undefined) return true;
  return isDeepStrictEqual(toOwnershipSpec(mine.ownership), object.spec.ownership);
}
