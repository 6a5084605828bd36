import type { StoredName } from "../served/discovery.ts";

/**
 * The continue token of a list, as every API server writes it since 1.9:
 *
 *   base64url( {"v": "meta.k8s.io/v1", "rv": revision, "start": key ‖ NUL} )
 *
 * k8s.io/apiserver/pkg/storage/continue.go calls it public and never to change.
 * The revision −1 means "as things are when the page is read": the API server
 * hands such tokens out itself once a revision is compacted.
 */
interface ContinueToken {
  readonly v: string;
  readonly rv: number;
  readonly start: string;
}

const VERSION = "meta.k8s.io/v1";
const LATEST = -1;

/** Returns a token for the objects after this object in key order. The object need not exist. */
export function tokenAfter({ namespace, name }: StoredName): string {
  const key = namespace === undefined ? name : `${namespace}/${name}`;
  return encode({ v: VERSION, rv: LATEST, start: `${key}\0` });
}

/** Returns the same place without a revision, or undefined if the token does not have this form. */
export function atLatest(token: string): string | undefined {
  try {
    const decoded: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    return isToken(decoded) ? encode({ ...decoded, rv: LATEST }) : undefined;
  } catch {
    // Not JSON: this server has another form of token.
    return undefined;
  }
}

const encode = (token: ContinueToken): string => Buffer.from(JSON.stringify(token)).toString("base64url");

const isToken = (value: unknown): value is ContinueToken =>
  typeof value === "object" &&
  value !== null &&
  "v" in value &&
  value.v === VERSION &&
  "start" in value &&
  typeof value.start === "string";
