import { incomplete } from "./refusals.ts";

const MOST_CHARACTERS = 8_192;
const RESERVED = /[!'()*]/g;

/**
 * Returns the query of a URL, without its "?", in the form that is signed: names and values percent-encoded as
 * RFC 3986 has it and sorted. Throws IncompleteSignatureException for a query that has no such form, and for
 * one that carries a signature: requests of that kind outlive their sender's intent in logs and bookmarks.
 */
export function canonicalQuery(query: string): string {
  if (query === "") return "";
  if (query.length > MOST_CHARACTERS) throw incomplete("The query of the request is too long.");
  const pairs = query.split("&").filter((pair) => pair !== "");
  const decoded = pairs.map((pair) => {
    const equals = pair.indexOf("=");
    return {
      name: encoded(equals < 0 ? pair : pair.slice(0, equals)),
      value: equals < 0 ? "" : encoded(pair.slice(equals + 1)),
    };
  });
  if (decoded.some(({ name }) => name.toLowerCase().startsWith("x-amz-"))) {
    throw incomplete("Presigned requests are not served. Send the signature in the Authorization header.");
  }
  return decoded
    .sort((a, b) => compare(a.name, b.name) || compare(a.value, b.value))
    .map(({ name, value }) => `${name}=${value}`)
    .join("&");
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function encoded(part: string): string {
  try {
    return encodeURIComponent(decodeURIComponent(part)).replaceAll(RESERVED, percent);
  } catch {
    throw incomplete("The query of the request is malformed.");
  }
}

const percent = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
