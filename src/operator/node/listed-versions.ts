import type { KeyVersion } from "../../resources/resources.ts";
import { parseTime } from "../../times.ts";

/** A version that a node could list in its KeyServer. */
export interface Listable {
  readonly name: string;
  readonly versionId: string;
  /** The namespace of its MasterKey. */
  readonly namespace: string;
  /** When it came to be what is listed, by the API server's word, in epoch milliseconds. */
  readonly since: number;
}

/** A candidate for promotion as it may be listed; of a tombstone, since when it is one. */
export const listable = ({ metadata, spec }: Pick<KeyVersion, "metadata" | "spec">): Listable => ({
  name: metadata.name,
  versionId: spec.versionId,
  namespace: spec.masterKey.namespace,
  since: parseTime(spec.destroyed?.at) ?? Date.parse(metadata.creationTimestamp),
});

/** So many versions have room in a KeyServer, for each of which the API server also notes who wrote it. */
export const MOST_LISTED = 500;
/** Those that wait for longer are blocked by something: they take turns for what the others leave. */
const FRESH_MILLISECONDS = 600_000;
/** At least so many of the blocked are listed, however many fresh ones there are. */
const LEAST_BLOCKED = 100;
/** How long one part of the blocked is listed: nodes report and the leader promotes within seconds. */
const TURN_MILLISECONDS = 120_000;

/**
 * Chooses which versions a KeyServer lists. A version counts only if every node lists it, so the
 * choice follows from names and times that are the same on every node. Namespaces share the room
 * equally; in each the oldest come first. Blocked versions take turns.
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

/** The versions of each namespace, oldest first; namespaces by the age of their oldest. */
function byNamespace<T extends Listable>(versions: readonly T[]): T[][] {
  const groups = new Map<string, T[]>();
  for (const version of versions.toSorted(byAge)) {
    const group = groups.get(version.namespace);
    if (group === undefined) groups.set(version.namespace, [version]);
    else group.push(version);
  }
  return [...groups.values()];
}

/** One of each group, then the next of each. */
function interleaved<T>(groups: readonly (readonly T[])[]): T[] {
  const ranked = groups.flatMap((group) => group.map((version, place) => ({ version, place })));
  return ranked.sort((a, b) => a.place - b.place).map(({ version }) => version);
}

/**
 * Begins further on with each turn, so that in some turn each version is among the first
 * LEAST_BLOCKED: a group that is at the front goes on from where it was at the front before.
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

/** The same list, beginning at an index that is taken round and round. */
function from<T>(list: readonly T[], index: number): T[] {
  const start = list.length === 0 ? 0 : index % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

const byName = (a: Listable, b: Listable): number => (a.name < b.name ? -1 : 1);

const byAge = (a: Listable, b: Listable): number => (a.since === b.since ? byName(a, b) : a.since - b.since);
