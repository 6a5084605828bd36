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

/** A token for what comes after this object in the order of keys, whether or not it exists. */
export function tokenAfter({ namespace, name }: StoredName): string {
  const key = namespace === undefined ? name : `${namespace}/${name}`;
  return encode({ v: VERSION, rv: LATEST, start: `${key}\0` });
}

/** The same place, as of no revision; undefined for a token that is not of this form. */
export function atLatest(token: string): string | undefined {
  try {
    const decoded: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    return isToken(decoded) ? encode({ ...decoded, rv: LATEST }) : undefined;
  } catch {
    // Not JSON: a server that writes its tokens in another way.
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
