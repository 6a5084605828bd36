import type { Fields } from "../../resources/schemas/schema.ts";

/** A JSON merge patch of a spec (RFC 7396): null removes a field. */
export type SpecPatch = Readonly<Record<string, unknown>>;

/** Returns the fields as they are after a merge patch. */
export function merged(fields: Fields, patch: SpecPatch): Fields {
  const result = new Map(Object.entries(fields));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, isFields(value) ? merged(fieldsIn(result.get(name)), value) : value);
  }
  return Object.fromEntries(result);
}

const fieldsIn = (value: unknown): Fields => (isFields(value) ? value : {});

/** Returns true for an object that is no list. */
export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
