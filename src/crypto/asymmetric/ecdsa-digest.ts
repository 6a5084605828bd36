import { createHash, type KeyObject, randomBytes, sign, verify } from "node:crypto";
import { ClavigerError } from "../../errors.ts";
import { ecPrivateKey, toBytes, toNumber } from "./ec-private-key.ts";
import { encodeEcdsaSignature, parseEcdsaSignature } from "./ecdsa-signature.ts";
import type { Curve } from "./key-types.ts";
import type { Hash } from "./signing-schemes.ts";

/**
 * ECDSA over a digest that somebody else computed. node:crypto signs messages only: given a digest and no
 * hash, it hashes the digest with SHA-256 and signs that.
 *
 * A signature (r, s) over z with the key d fulfils s = (z + r·d) / k (FIPS 186-5, section 6.4). Multiplied by
 * any c: c·s = (c·z + r·c·d) / k, which is a signature over c·z with the key c·d. So OpenSSL signs a random
 * message with the digest z', with the key c·d for c = z' / z, and its s divided by c is the signature over z
 * with d. All arithmetic with the nonce k is OpenSSL's. c is secret and uniformly random, so the one
 * multiplication of d, and the key that comes of it, say nothing about d.
 *
 * No curve's order has fewer bits than the digests of its algorithm, so no digest is cut.
 */
interface Scaled {
  readonly key: KeyObject;
  readonly message: Buffer;
  readonly factor: bigint;
  readonly inverse: bigint;
}

/** Signs a digest. Returns DER. */
export function signDigest(curve: Curve, hash: Hash, privateKey: KeyObject, digest: Uint8Array): Buffer {
  const { key, message, inverse } = scaled(curve, hash, privateKey, digest);
  const signature = sign(hash, message, { key, dsaEncoding: "ieee-p1363" });
  const r = toNumber(signature.subarray(0, curve.bytes));
  const s = (toNumber(signature.subarray(curve.bytes)) * inverse) % curve.order;
  return encodeEcdsaSignature({ r, s }, curve.bytes);
}

/** Returns true if a signature in DER over a digest is valid. The public key comes from the private key. */
export function isDigestSignature(
  curve: Curve,
  hash: Hash,
  privateKey: KeyObject,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  const parsed = parseEcdsaSignature(signature, curve);
  if (parsed === undefined) return false;
  const { key, message, factor } = scaled(curve, hash, privateKey, digest);
  const s = (parsed.s * factor) % curve.order;
  const numbers = Buffer.concat([toBytes(parsed.r, curve.bytes), toBytes(s, curve.bytes)]);
  return verify(hash, message, { key, dsaEncoding: "ieee-p1363" }, numbers);
}

function scaled({ order, ...curve }: Curve, hash: Hash, privateKey: KeyObject, digest: Uint8Array): Scaled {
  const message = randomBytes(64);
  const z = toNumber(digest) % order;
  // Nobody finds a message with such a digest, and there is no c for it.
  if (z === 0n) throw new ClavigerError("InvalidArgument", "the digest is zero modulo the curve's order");
  const other = toNumber(createHash(hash).update(message).digest()) % order;
  const ofBoth = inverseOf((z * other) % order, order);
  const factor = (other * other * ofBoth) % order;
  const inverse = (z * z * ofBoth) % order;
  return {
    key: ecPrivateKey({ order, ...curve }, (scalarOf(privateKey) * factor) % order),
    message,
    factor,
    inverse,
  };
}

const scalarOf = (privateKey: KeyObject): bigint =>
  toNumber(Buffer.from(privateKey.export({ format: "jwk" }).d ?? "", "base64url"));

/** Returns the inverse modulo a prime, by Euclid's extended algorithm. */
function inverseOf(value: bigint, prime: bigint): bigint {
  let [a, b] = [value, prime];
  let [x, y] = [1n, 0n];
  while (a > 1n) {
    const quotient = b / a;
    [a, b] = [b - quotient * a, a];
    [x, y] = [y - quotient * x, x];
  }
  return ((x % prime) + prime) % prime;
}
