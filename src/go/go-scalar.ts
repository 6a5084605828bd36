import { decodeGoBase64 } from "./go-base64.ts";

/** A YAML scalar as a JSON value. The caller refuses NaN and the infinities, which JSON lacks. */
export type GoScalar = null | boolean | number | string;

const LONG_TAG = "tag:yaml.org,2002:";

const named = (value: GoScalar, ...texts: string[]): (readonly [string, GoScalar])[] =>
  texts.map((text) => [text, value] as const);

/** The words of YAML 1.1 that go-yaml v2 knows. */
const WORDS: ReadonlyMap<string, GoScalar> = new Map([
  ...named(true, "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"),
  ...named(false, "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"),
  ...named(null, "", "~", "null", "Null", "NULL"),
  ...named(Number.NaN, ".nan", ".NaN", ".NAN"),
  ...named(Number.POSITIVE_INFINITY, ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"),
  ...named(Number.NEGATIVE_INFINITY, "-.inf", "-.Inf", "-.INF"),
]);

const DOTTED = /^\.[0-9]+([eE][-+]?[0-9]+)?$/;
const FLOAT = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/;
const INTEGERS = [
  { pattern: /^([-+]?)0[xX]([0-9a-fA-F]+)$/, prefix: "0x" },
  { pattern: /^([-+]?)0[bB]([01]+)$/, prefix: "0b" },
  // The octal numbers of YAML 1.1, and of Go.
  { pattern: /^([-+]?)0[oO]?([0-7]+)$/, prefix: "0o" },
  { pattern: /^([-+]?)(0|[1-9][0-9]*)$/, prefix: "" },
] as const;

/**
 * Resolves a plain or tagged scalar as go-yaml v2 does (its resolve.go), and with it the API
 * server and kubectl. `tag` is undefined for a plain scalar without one. Returns undefined if the
 * text is not of the tag's type.
 */
export function resolveGoScalar(text: string, tag?: string): GoScalar | undefined {
  const short = tag?.startsWith(LONG_TAG) ? tag.slice(LONG_TAG.length) : tag;
  switch (short) {
    case undefined:
      return plain(text);
    case "binary":
      return decodeGoBase64(text)?.toString("utf8");
    case "bool":
      return only("boolean", plain(text));
    case "int":
      return FLOATING.test(text) ? undefined : only("number", plain(text));
    case "float":
      return only("number", plain(text));
    case "null":
      return plain(text) === null ? null : undefined;
    case "timestamp":
      return DATE.test(text) ? text : undefined;
    default:
      // Text, or a custom tag.
      return text;
  }
}

/** Numbers that Go's ParseInt refuses and that the pattern of floats accepts. */
const FLOATING = /^\.|^[-+]\.|^[-+]?[0-9_]*(\.|[eE])|^[-+]?0[0-9]*[89]/;
/** go-yaml accepts other forms as times too, and refuses some of these. All of them are texts in JSON. */
const DATE = /^\d{4}-\d{1,2}-\d{1,2}([Tt ]\d{1,2}:\d{1,2}:\d{1,2}(\.\d+)?(Z|[-+]\d\d:\d\d)?)?$/;

function plain(text: string): GoScalar {
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  if (text.startsWith(".")) return finite(DOTTED.test(text) ? Number(text) : undefined) ?? text;
  if (!/^[-+0-9]/.test(text)) return text;
  const digits = text.replaceAll("_", "");
  return integer(digits) ?? finite(FLOAT.test(digits) ? Number(digits) : undefined) ?? text;
}

/** Returns undefined for a number of more than 64 bits: go-yaml then tries to read it as a float. */
function integer(text: string): number | undefined {
  for (const { pattern, prefix } of INTEGERS) {
    const [, sign, digits] = pattern.exec(text) ?? [];
    if (digits === undefined) continue;
    const size = BigInt(prefix + digits);
    if (sign === "-" ? size > 2n ** 63n : size >= (sign === "+" ? 2n ** 63n : 2n ** 64n)) return undefined;
    return sign === "-" ? -Number(size) : Number(size);
  }
  return undefined;
}

/** For a number that is too large, ParseFloat returns an error, not an infinity. */
const finite = (value: number | undefined): number | undefined =>
  value !== undefined && Number.isFinite(value) ? value : undefined;

function only<T extends "boolean" | "number">(type: T, value: GoScalar): GoScalar | undefined {
  return typeof value === type ? value : undefined;
}
