/** A value as Go's JSON decoder knows it. */
export type GoValue = null | boolean | number | string | GoFraction | readonly GoValue[] | GoObject;
export interface GoObject {
  readonly [name: string]: GoValue;
}

/** A number of JSON that is written with a point or an exponent: Go fills no integer with it, be it whole. */
export class GoFraction {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

export const isGoObject = (value: GoValue | undefined): value is GoObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof GoFraction);

/**
 * Whether the API server and kubectl take a text for JSON: its first character is a brace, but for
 * white space (IsJSONBuffer of k8s.io/apimachinery; unicode.IsSpace knows no byte order mark).
 */
export const looksLikeJson = (text: string): boolean => /^(?:(?!\uFEFF)[\s\u0085])*\{/.test(text);

declare global {
  interface JSON {
    /** With the reviver of ECMAScript 2026, which is shown the number's own digits. */
    parse(
      text: string,
      reviver: (name: string, value: unknown, context: { readonly source?: string }) => unknown,
    ): unknown;
  }
}

/** Parses JSON, half a character as U+FFFD. Throws a SyntaxError, which may quote the text: not to be shown. */
export function parseGoJson(text: string): GoValue {
  // JSON.parse makes nothing else.
  return JSON.parse(text, (_, value, { source }) => {
    if (typeof value === "string") return value.toWellFormed();
    return typeof value === "number" && /[.eE]/.test(source ?? "") ? new GoFraction(value) : value;
  }) as GoValue;
}

const NAMES_AND_BRACKETS = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g;

/** Whether an object of a text that is JSON has a name twice, which parsers pass over. */
export function hasNameTwice(json: string): boolean {
  const open: Set<string>[] = [];
  for (const [token, colon] of json.matchAll(NAMES_AND_BRACKETS)) {
    if (token === "{" || token === "[") open.push(new Set());
    else if (token === "}" || token === "]") open.pop();
    else if (colon !== undefined) {
      const name = String(JSON.parse(token.slice(0, -colon.length)));
      const names = open.at(-1);
      if (names?.has(name)) return true;
      names?.add(name);
    }
  }
  return false;
}
