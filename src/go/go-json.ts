/** A value of Go's JSON decoder. */
export type GoValue = null | boolean | number | string | GoFraction | readonly GoValue[] | GoObject;
export interface GoObject {
  readonly [name: string]: GoValue;
}

/** A JSON number with a point or an exponent. Go does not decode it into an integer, even if it is whole. */
export class GoFraction {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

export const isGoObject = (value: GoValue | undefined): value is GoObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof GoFraction);

/**
 * Returns true if the API server and kubectl take a text for JSON: its first character after white space is a
 * brace (IsJSONBuffer of k8s.io/apimachinery; for unicode.IsSpace a byte order mark is no white space).
 */
export const looksLikeJson = (text: string): boolean => /^(?:(?!\uFEFF)[\s\u0085])*\{/.test(text);

declare global {
  interface JSON {
    /** JSON.parse with the reviver of ECMAScript 2026, which receives the number's own digits. */
    parse(
      text: string,
      reviver: (name: string, value: unknown, context: { readonly source?: string }) => unknown,
    ): unknown;
  }
}

/**
 * Parses JSON. A lone surrogate becomes U+FFFD. Throws a SyntaxError, which may quote the text, so do not
 * show it.
 */
export function parseGoJson(text: string): GoValue {
  // JSON.parse returns nothing else.
  return JSON.parse(text, (_, value, { source }) => {
    if (typeof value === "string") return value.toWellFormed();
    return typeof value === "number" && /[.eE]/.test(source ?? "") ? new GoFraction(value) : value;
  }) as GoValue;
}

const NAMES_AND_BRACKETS = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g;

/** Returns true if an object of a JSON text has a name twice, which parsers ignore. */
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
