import { ClavigerError, type ErrorCode } from "./errors.ts";

/**
 * Parses JSON. `what` names the text in messages. Throws a ClavigerError of this code that names only the
 * position of the fault: the parser's own message quotes the text, which may be secret.
 */
export function parseJson(text: string, what: string, code: ErrorCode): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // The error is not passed on as the cause, because inspect would print it.
    throw new ClavigerError(code, `${what} is not JSON${placeOf(error)}`);
  }
}

/** V8 names the position of some faults. */
function placeOf(error: unknown): string {
  const [, position] = / at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(String(error)) ?? [];
  return position === undefined ? "" : ` (at character ${Number(position) + 1})`;
}

/**
 * Returns the parsed value of a text, or undefined if it is not JSON. The error is not passed on, because it
 * would quote the text.
 */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Returns the fields of an untrusted object, or no fields if the value is no object. */
export const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? { ...value } : {};

/** Returns the field if the value is a text that is not empty. */
export const textAs = <Name extends string>(
  name: Name,
  value: unknown,
): { readonly [N in Name]?: string } | object =>
  typeof value === "string" && value !== "" ? { [name]: value } : {};
