import { ClavigerError, type ErrorCode } from "./errors.ts";

/**
 * Parses JSON of which `what` says whose it is. Throws a ClavigerError of this code that names
 * the place of the fault alone: the parser's own message quotes the text, which may be secret.
 */
export function parseJson(text: string, what: string, code: ErrorCode): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // Not passed on as the cause, which inspect would print.
    throw new ClavigerError(code, `${what} is not JSON${placeOf(error)}`);
  }
}

/** V8 names the place of some faults. */
function placeOf(error: unknown): string {
  const [, position] = / at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(String(error)) ?? [];
  return position === undefined ? "" : ` (at character ${Number(position) + 1})`;
}

/** Returns what a text says; undefined if it is not JSON. The error is not passed on: it would quote the text. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Returns the fields of an object that others wrote; none of anything else. */
export const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? { ...value } : {};

/** Returns a field of that name if the value is a text that says something. */
export const textAs = <Name extends string>(
  name: Name,
  value: unknown,
): { readonly [N in Name]?: string } | object =>
  typeof value === "string" && value !== "" ? { [name]: value } : {};
