import { createHash } from "node:crypto";
import { incomplete } from "./refusals.ts";
import { Remembered } from "./remembered.ts";

export const ALGORITHM = "AWS4-HMAC-SHA256";
const MOST_CHARACTERS = 8_192;
const PARAMETERS = ["Credential", "Signature", "SignedHeaders"] as const;
type Parameter = (typeof PARAMETERS)[number];

/** Access key ids of AWS have 16 to 128 word characters. */
const ACCESS_KEY_ID = /^\w{1,128}$/;
const SIGNATURE = /^[0-9a-f]{64}$/;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]{1,256}$/;

/** The credential scope: what a signing key is for. */
export interface Scope {
  /** YYYYMMDD as sent; it may be any text. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly terminator: string;
}

/** Returns a scope as it is signed, and sent after the access key id. */
export const scopeText = ({ date, region, service, terminator }: Scope): string =>
  `${date}/${region}/${service}/${terminator}`;

/** The list of the headers that are signed. */
export interface SignedHeaders {
  /** The list as it was sent. */
  readonly text: string;
  /** Lower-case names in strictly ascending order. */
  readonly names: ReadonlySet<string>;
}

/** The parts of an Authorization header of Signature Version 4. */
export interface Authorization {
  readonly accessKeyId: string;
  readonly scope: Scope;
  readonly signedHeaders: SignedHeaders;
  readonly signature: Buffer;
}

/**
 * Parses an Authorization header:
 *
 *   AWS4-HMAC-SHA256 Credential=ID/YYYYMMDD/REGION/SERVICE/aws4_request, SignedHeaders=a;b, Signature=HEX
 *
 * Throws IncompleteSignatureException, with AWS's text. The text has a hash of the header, never the header:
 * users paste keys into the wrong field.
 */
export function parseAuthorization(header: string): Authorization {
  if (header.length > MOST_CHARACTERS) throw incomplete("Authorization header is too long.");
  const parameters = parametersOf(header);
  const missing = PARAMETERS.filter((name) => !parameters.has(name));
  if (missing.length > 0) throw lacks(header, missing);
  return {
    ...credentials.of(parameters.get("Credential") ?? ""),
    signedHeaders: lists.of(parameters.get("SignedHeaders") ?? ""),
    signature: signatureOf(parameters.get("Signature") ?? ""),
  };
}

function parametersOf(header: string): ReadonlyMap<Parameter, string> {
  const space = header.indexOf(" ");
  const scheme = space < 0 ? header : header.slice(0, space);
  const found = new Map<Parameter, string>();
  // Every parameter is missing from a header of another scheme, and AWS says so.
  if (scheme !== ALGORITHM) return found;
  for (const part of header.slice(scheme.length).split(",", PARAMETERS.length + 2)) {
    const equals = part.indexOf("=");
    const name = PARAMETERS.find((known) => known === part.slice(0, Math.max(equals, 0)).trim());
    if (name === undefined) throw incomplete(`Authorization header is malformed. ${hashOf(header)}`);
    if (found.has(name)) throw incomplete(`Authorization header has '${name}' twice.`);
    found.set(name, part.slice(equals + 1).trim());
  }
  return found;
}

const lacks = (header: string, missing: readonly Parameter[]): Error =>
  incomplete(
    [...missing.map((name) => `Authorization header requires '${name}' parameter.`), hashOf(header)].join(
      " ",
    ),
  );

/** AWS identifies the header in its message in this way. */
const hashOf = (header: string): string =>
  `(Hashed with SHA-256 and encoded with Base64) Authorization=${createHash("sha256").update(header, "latin1").digest("base64")}`;

function credentialOf(text: string): { readonly accessKeyId: string; readonly scope: Scope } {
  const [accessKeyId, date, region, service, terminator, more] = text.split("/", 6);
  if (
    accessKeyId === undefined ||
    date === undefined ||
    region === undefined ||
    service === undefined ||
    terminator === undefined ||
    more !== undefined ||
    !ACCESS_KEY_ID.test(accessKeyId)
  ) {
    throw incomplete(
      "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.",
    );
  }
  return { accessKeyId, scope: { date, region, service, terminator } };
}

const credentials = new Remembered(credentialOf);

function signedHeadersOf(text: string): SignedHeaders {
  const names = text.split(";");
  const ordered = names.every((name, at) => HEADER_NAME.test(name) && (names[at - 1] ?? "") < name);
  if (!ordered) {
    throw incomplete("SignedHeaders must be lower-case header names in ascending order, separated by ';'.");
  }
  return { text, names: new Set(names) };
}

const lists = new Remembered(signedHeadersOf);

function signatureOf(text: string): Buffer {
  if (!SIGNATURE.test(text)) throw incomplete("Signature must be 64 lower-case hexadecimal digits.");
  return Buffer.from(text, "hex");
}
