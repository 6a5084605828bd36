import { ClavigerError } from "../errors.ts";
import {
  type GoObject,
  type GoValue,
  hasNameTwice,
  isGoObject,
  looksLikeJson,
  parseGoJson,
} from "./go-json.ts";
import { readGoYaml } from "./go-yaml.ts";

/**
 * Reads the text of an API server's configuration file, as the strict decoder of k8s.io/apimachinery does:
 * JSON if its first character is a brace, otherwise the first document of YAML 1.1. Throws ConfigInvalid,
 * which begins with `what` and quotes nothing of the text.
 */
export function readGoConfig(source: Buffer | string, what: string): GoObject {
  const refuse = refusalOf(what);
  const text = typeof source === "string" ? source : goTextOf(source, what);
  const value = looksLikeJson(text) ? json(text, refuse) : readGoYaml(text, what);
  if (value === undefined) return refuse("holds no YAML document");
  return isGoObject(value) ? value : refuse("must be a mapping");
}

function json(text: string, refuse: (fault: string) => never): GoValue {
  let value: GoValue;
  try {
    value = parseGoJson(text);
  } catch {
    // The parser's message quotes the text.
    return refuse("begins with a brace and is not JSON");
  }
  return hasNameTwice(text) ? refuse("has a field twice in one object") : value;
}

/**
 * Decodes the text of a file: UTF-16 if its byte order mark says so, as in go-yaml, otherwise UTF-8. Invalid
 * bytes are replaced as Go's JSON decoder does. Throws ConfigInvalid, which begins with `what`.
 */
export function goTextOf(bytes: Buffer, what: string): string {
  const [first, second] = bytes;
  const lax = bytes.toString("utf8");
  if (looksLikeJson(lax)) return lax;
  const encoding =
    first === 0xff && second === 0xfe ? "utf-16le" : first === 0xfe && second === 0xff ? "utf-16be" : "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return refusalOf(what)(`is not a text in ${encoding.toUpperCase()}`);
  }
}

const refusalOf =
  (what: string) =>
  (fault: string): never => {
    throw new ClavigerError("ConfigInvalid", `${what} ${fault}`);
  };
