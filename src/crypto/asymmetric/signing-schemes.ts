import { ClavigerError } from "../../errors.ts";
import type { AsymmetricSpec } from "./key-types.ts";
import { keyTypeOf } from "./key-types.ts";

/** A hash of a signing algorithm, by node:crypto's name. */
export type Hash = "sha256" | "sha384" | "sha512";

/** A signature scheme of AWS KMS. */
export type Scheme =
  | { readonly kind: "pkcs1" | "pss"; readonly hash: Hash }
  | { readonly kind: "ecdsa"; readonly hash: Hash }
  | { readonly kind: "ed25519" | "ml-dsa" };

/** AWS KMS's MessageType: the message itself, its digest, or ML-DSA's message representative. */
export type MessageType = "RAW" | "DIGEST" | "EXTERNAL_MU";

/** The way in which a key signs. */
export interface Signing {
  readonly spec: AsymmetricSpec;
  /** AWS KMS's name of the algorithm. */
  readonly algorithm: string;
  readonly messageType: MessageType;
}

const schemes: ReadonlyMap<string, Scheme> = new Map<string, Scheme>([
  ["RSASSA_PKCS1_V1_5_SHA_256", { kind: "pkcs1", hash: "sha256" }],
  ["RSASSA_PKCS1_V1_5_SHA_384", { kind: "pkcs1", hash: "sha384" }],
  ["RSASSA_PKCS1_V1_5_SHA_512", { kind: "pkcs1", hash: "sha512" }],
  ["RSASSA_PSS_SHA_256", { kind: "pss", hash: "sha256" }],
  ["RSASSA_PSS_SHA_384", { kind: "pss", hash: "sha384" }],
  ["RSASSA_PSS_SHA_512", { kind: "pss", hash: "sha512" }],
  ["ECDSA_SHA_256", { kind: "ecdsa", hash: "sha256" }],
  ["ECDSA_SHA_384", { kind: "ecdsa", hash: "sha384" }],
  ["ECDSA_SHA_512", { kind: "ecdsa", hash: "sha512" }],
  ["ED25519_SHA_512", { kind: "ed25519" }],
  ["ML_DSA_SHAKE_256", { kind: "ml-dsa" }],
]);

/** The lengths of the hashes, in bytes. */
export const hashBytes: Readonly<Record<Hash, number>> = { sha256: 32, sha384: 48, sha512: 64 };

/**
 * Returns the scheme of a signing algorithm. Throws InvalidArgument for an algorithm of other keys, for the
 * algorithms and message types that node:crypto has not, and for a digest of another length.
 */
export function schemeOf({ spec, algorithm, messageType }: Signing, message: Uint8Array): Scheme {
  const scheme = schemes.get(algorithm);
  const unsupported = unsupportedSigning(algorithm, messageType);
  if (unsupported !== undefined) throw new ClavigerError("InvalidArgument", unsupported);
  if (scheme === undefined || !isFor(scheme, algorithm, spec))
    throw new ClavigerError("InvalidArgument", `a key of spec ${spec} does not sign with this algorithm`);
  if (messageType === "RAW") return scheme;
  if (!("hash" in scheme) || messageType === "EXTERNAL_MU")
    throw new ClavigerError("InvalidArgument", `${algorithm} does not sign a message of type ${messageType}`);
  const size = hashBytes[scheme.hash];
  if (message.length === size) return scheme;
  throw new ClavigerError(
    "InvalidArgument",
    `the digest has ${message.length} bytes and ${algorithm} needs ${size}`,
  );
}

function isFor({ kind }: Scheme, algorithm: string, spec: AsymmetricSpec): boolean {
  const type = keyTypeOf(spec);
  if (type.kind === "ec") return type.signing === algorithm;
  return type.kind === (kind === "pkcs1" || kind === "pss" ? "rsa" : kind);
}

/**
 * Returns why AWS KMS has a way to sign that claviger has not: node:crypto either refuses it, or would
 * silently sign something else.
 */
export function unsupportedSigning(algorithm: string, messageType: MessageType): string | undefined {
  if (algorithm === "ED25519_PH_SHA_512") return `${algorithm} is not served, ED25519_SHA_512 is`;
  if (algorithm === "ML_DSA_SHAKE_256" && messageType === "EXTERNAL_MU")
    return `message type EXTERNAL_MU is not served for ${algorithm}, RAW is`;
  return undefined;
}
