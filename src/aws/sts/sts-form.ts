import { StsError } from "./sts-error.ts";

/** A web identity token has at most 20,000 characters, and the other fields are short. */
const MAX_BYTES = 65_536;
const MOST_FIELDS = 50;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Parses a form (application/x-www-form-urlencoded) into its fields. Throws StsError for a form that is
 * malformed, too large, or has a field twice: two readers could choose different values.
 */
export function parseForm(body: Uint8Array): ReadonlyMap<string, string> {
  if (body.length > MAX_BYTES) throw malformed(`has more than ${MAX_BYTES} bytes`);
  const fields = new Map<string, string>();
  const pairs = textOf(body).split("&", MOST_FIELDS + 1);
  if (pairs.length > MOST_FIELDS) throw malformed(`has more than ${MOST_FIELDS} fields`);
  for (const pair of pairs.filter((part) => part !== "")) {
    const equals = pair.indexOf("=");
    const name = decoded(equals < 0 ? pair : pair.slice(0, equals));
    if (fields.has(name)) throw malformed("has a field twice");
    fields.set(name, equals < 0 ? "" : decoded(pair.slice(equals + 1)));
  }
  return fields;
}

function textOf(body: Uint8Array): string {
  try {
    return decoder.decode(body);
  } catch {
    throw malformed("is not UTF-8");
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part.replaceAll("+", " "));
  } catch {
    throw malformed("is not percent-encoded UTF-8");
  }
}

const malformed = (flaw: string): StsError =>
  new StsError("MalformedQueryString", `The form of the request ${flaw}.`);
