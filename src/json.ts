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
