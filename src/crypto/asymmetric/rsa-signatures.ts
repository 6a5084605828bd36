import { constants, type KeyObject, privateEncrypt, publicDecrypt } from "node:crypto";
import { encodePkcs1, encodePss, isPssOf } from "./rsa-encodings.ts";
import type { Hash } from "./signing-schemes.ts";

/** A signature scheme of RSA (RFC 8017, section 8). */
export interface RsaScheme {
  readonly kind: "pkcs1" | "pss";
  readonly hash: Hash;
}

const modulusBytes = (key: KeyObject): number => (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
const raw = (key: KeyObject) => ({ key, padding: constants.RSA_NO_PADDING });

/** Signs a digest. OpenSSL blinds the operation, and checks its result before it leaves. */
export function signDigest({ kind, hash }: RsaScheme, privateKey: KeyObject, digest: Uint8Array): Buffer {
  const encode = kind === "pss" ? encodePss : encodePkcs1;
  return privateEncrypt(raw(privateKey), encode(hash, digest, modulusBytes(privateKey)));
}

/** Returns true if a signature over a digest is valid. The whole encoding is compared, nothing is parsed. */
export function isDigestSignature(
  { kind, hash }: RsaScheme,
  publicKey: KeyObject,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (signature.length !== modulusBytes(publicKey)) return false;
  const encoded = opened(publicKey, signature);
  if (encoded === undefined) return false;
  if (kind === "pss") return isPssOf(hash, digest, encoded);
  return encoded.equals(encodePkcs1(hash, digest, encoded.length));
}

/** OpenSSL refuses a number that is not below the modulus. */
function opened(publicKey: KeyObject, signature: Uint8Array): Buffer | undefined {
  try {
    return publicDecrypt(raw(publicKey), signature);
  } catch {
    return undefined;
  }
}
