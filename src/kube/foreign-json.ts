/** JSON that others wrote, of which nothing is certain. */

/** What a text says; undefined where it is no JSON. The error is not passed on: it would quote the text. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The fields of an object; none of anything else. */
export const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? { ...value } : {};

/** A field of that name where the value is a text that says something. */
export const textAs = <Name extends string>(
  name: Name,
  value: unknown,
): { readonly [N in Name]?: string } | object =>
  typeof value === "string" && value !== "" ? { [name]: value } : {};
