import { isDeepStrictEqual } from "node:util";

type Fields = Readonly<Record<string, unknown>>;

/** Others may have conditions of their own in the list; ours are ours by their type. */
const SHARED_LISTS = new Set(["conditions"]);

/**
 * Returns the merge patch (RFC 7396) that takes out of `actual` what `applied` does not say, or
 * undefined if there is nothing. Server-side apply removes only fields that no other manager has
 * set: what somebody else wrote into a status would stay there for good.
 */
export function leftovers(actual: Fields, applied: Fields): Fields | undefined {
  const changes = Object.entries(actual).flatMap(([name, value]): [string, unknown][] => {
    const wanted = applied[name];
    if (wanted === undefined) return [[name, null]];
    if (Array.isArray(value)) {
      const settled = SHARED_LISTS.has(name) || isDeepStrictEqual(value, wanted);
      return settled ? [] : [[name, wanted]];
    }
    if (!isFields(value) || !isFields(wanted)) return [];
    const inner = leftovers(value, wanted);
    return inner === undefined ? [] : [[name, inner]];
  });
  return changes.length === 0 ? undefined : Object.fromEntries(changes);
}

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
