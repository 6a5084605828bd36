import { MalformedPolicy, quoted } from "./malformed-policy.ts";

const MAX_VALUES = 1_000;

/** Returns the elements of an object that may have these names only. Throws MalformedPolicy for anything else. */
export function elementsOf(
  value: unknown,
  names: readonly string[],
  place: string,
): Readonly<Record<string, unknown>> {
  const elements = objectOf(value, place);
  for (const name of Object.keys(elements))
    if (!names.includes(name)) throw new MalformedPolicy(`${place} has an unknown element ${quoted(name)}`);
  return elements;
}

/** Returns an object. Throws MalformedPolicy if the value is none. */
export function objectOf(value: unknown, place: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new MalformedPolicy(`${place} must be an object`);
  return Object.assign(Object.create(null), value);
}

/** Returns the texts of a text or of a list of texts; numbers and booleans are their text. */
export function textsOf(value: unknown, place: string): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0 || values.length > MAX_VALUES)
    throw new MalformedPolicy(`${place} must have 1 to ${MAX_VALUES} values`);
  return values.map((one) => {
    if (typeof one === "string") return one;
    if (typeof one === "boolean" || (typeof one === "number" && Number.isFinite(one))) return String(one);
    throw new MalformedPolicy(`${place} must be a text or a list of texts`);
  });
}
