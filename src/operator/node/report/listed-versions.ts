import type { KeyVersion } from "../../../resources/resources.ts";
import { parseTime } from "../../../times.ts";

/** A version that a node could list in its KeyServer. */
export interface Listable {
  readonly name: string;
  readonly versionId: string;
  /** The namespace of its MasterKey. */
  readonly namespace: string;
  /** When it became a candidate or a tombstone, by the API server's clock, in epoch milliseconds. */
  readonly since: number;
}

/** Returns a candidate for promotion in the form for listing; for a tombstone, since when it is one. */
export const listable = ({ metadata, spec }: Pick<KeyVersion, "metadata" | "spec">): Listable => ({
  name: metadata.name,
  versionId: spec.versionId,
  namespace: spec.masterKey.namespace,
  since: parseTime(spec.destroyed?.at) ?? Date.parse(metadata.creationTimestamp),
});

/** The number of versions that a KeyServer has room for; the API server also notes for each who wrote it. */
export const MOST_LISTED = 500;
/** Versions that wait for longer are blocked by something: they take turns for the remaining room. */
const FRESH_MILLISECONDS = 600_000;
/** At least this many blocked versions are listed, however many fresh versions there are. */
const LEAST_BLOCKED = 100;
/**
 * How long one part of the blocked versions is listed: nodes report and the leader promotes within seconds.
 */
const TURN_MILLISECONDS = 120_000;

/**
 * Chooses the versions that a KeyServer lists. A version counts only if every node lists it, so the choice
 * depends on names and times that are the same on every node. Namespaces share the room equally, and in each
 * namespace the oldest come first. Blocked versions take turns.
 */
export function chooseListed<T extends Listable>(versions: readonly T[], now: Date): readonly T[] {
  if (versions.length <= MOST_LISTED) return versions.toSorted(byName);
  const isFresh = ({ since }: T) => now.getTime() - since < FRESH_MILLISECONDS;
  const fresh = interleaved(byNamespace(versions.filter(isFresh)));
  const blocked = interleaved(rotated(byNamespace(versions.filter((version) => !isFresh(version))), now));
  const least = Math.min(blocked.length, LEAST_BLOCKED);
  const first = fresh.slice(0, MOST_LISTED - least);
  return [...first, ...blocked.slice(0, MOST_LISTED - first.length)].sort(byName);
}

/**
 * Returns the versions of each namespace, oldest first; namespaces are ordered by the age of their oldest.
 */
function byNamespace<T extends Listable>(versions: readonly T[]): T[][] {
  const groups = new Map<string, T[]>();
  for (const version of versions.toSorted(byAge)) {
    const group = groups.get(version.namespace);
    if (group === undefined) groups.set(version.namespace, [version]);
    else group.push(version);
  }
  return [...groups.values()];
}

/** Returns the first of each group, then the second of each. */
function interleaved<T>(groups: readonly (readonly T[])[]): T[] {
  const ranked = groups.flatMap((group) => group.map((version, place) => ({ version, place })));
  return ranked.sort((a, b) => a.place - b.place).map(({ version }) => version);
}

/**
 * Starts further on with each turn, so that in some turn each version is among the first LEAST_BLOCKED. A
 * group at the front continues at its former position.
 */
function rotated<T>(groups: readonly T[][], now: Date): T[][] {
  const turn = Math.floor(now.getTime() / TURN_MILLISECONDS);
  const atFront = Math.min(groups.length, LEAST_BLOCKED);
  const share = Math.max(1, Math.floor(LEAST_BLOCKED / groups.length));
  const moved = groups.map((group, index) => {
    const timesAtFront = Math.floor((turn * atFront + atFront - 1 - index) / groups.length);
    return from(group, timesAtFront * share);
  });
  return from(moved, turn * atFront);
}

/** Returns the same list, rotated to begin at an index. */
function from<T>(list: readonly T[], index: number): T[] {
  const start = list.length === 0 ? 0 : index % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

const byName = (a: Listable, b: Listable): number => (a.name < b.name ? -1 : 1);

const byAge = (a: Listable, b: Listable): number => (a.since === b.since ? byName(a, b) : a.since - b.since);
