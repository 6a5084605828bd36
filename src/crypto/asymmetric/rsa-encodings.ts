import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { type Hash, hashBytes } from "./signing-schemes.ts";

/** The encodings of digests that RSA signs (RFC 8017, section 9). node:crypto hashes and encodes only whole messages. */

/** DER of DigestInfo up to the digest itself (RFC 8017, section 9.2, note 1). */
const digestInfo: Readonly<Record<Hash, Buffer>> = {
  sha256: Buffer.from("3031300d060960864801650304020105000420", "hex"),
  sha384: Buffer.from("3041300d060960864801650304020205000430", "hex"),
  sha512: Buffer.from("3051300d060960864801650304020305000440", "hex"),
};

/** EMSA-PKCS1-v1_5: 00 01 FF…FF 00 DigestInfo. There is one encoding of a digest. */
export function encodePkcs1(hash: Hash, digest: Uint8Array, size: number): Buffer {
  const info = Buffer.concat([digestInfo[hash], digest]);
  const encoded = Buffer.alloc(size, 0xff);
  encoded.set([0, 1]);
  encoded[size - info.length - 1] = 0;
  encoded.set(info, size - info.length);
  return encoded;
}

const TRAILER = 0xbc;
const EIGHT_ZEROS = Buffer.alloc(8);

/**
 * EMSA-PSS with MGF1 of the same hash, and a salt as long as the hash, as AWS KMS has it:
 *
 *   maskedDB (00…00 01 salt, masked)  ‖  H = hash(8 zeros ‖ digest ‖ salt)  ‖  BC
 *
 * The modulus has a multiple of 8 bits, so the encoding is as long as the modulus, and its first bit is 0.
 */
export function encodePss(hash: Hash, digest: Uint8Array, size: number): Buffer {
  return encodePssWith(hash, digest, size, randomBytes(hashBytes[hash]));
}

function encodePssWith(hash: Hash, digest: Uint8Array, size: number, salt: Uint8Array): Buffer {
  const h = createHash(hash).update(EIGHT_ZEROS).update(digest).update(salt).digest();
  const block = Buffer.alloc(size - h.length - 1);
  block[block.length - salt.length - 1] = 1;
  block.set(salt, block.length - salt.length);
  return Buffer.concat([masked(hash, h, block), h, Uint8Array.of(TRAILER)]);
}

/** EMSA-PSS-VERIFY: takes the salt from the encoding, encodes again, and compares the whole. */
export function isPssOf(hash: Hash, digest: Uint8Array, encoded: Uint8Array): boolean {
  const size = hashBytes[hash];
  const end = encoded.length - 1;
  const h = encoded.subarray(end - size, end);
  const salt = masked(hash, h, encoded.subarray(0, end - size)).subarray(-size);
  return timingSafeEqual(encodePssWith(hash, digest, encoded.length, salt), encoded);
}

/** Masks a block, or unmasks it: its first bit becomes 0. */
function masked(hash: Hash, seed: Uint8Array, block: Uint8Array): Buffer {
  const mask = mgf1(hash, seed, block.length);
  const result = Buffer.from(block.map((byte, at) => byte ^ (mask[at] ?? 0)));
  result[0] = (result[0] ?? 0) & 0x7f;
  return result;
}

/** MGF1 (RFC 8017, appendix B.2.1). */
function mgf1(hash: Hash, seed: Uint8Array, length: number): Buffer {
  const parts: Buffer[] = [];
  for (let counter = 0; counter * hashBytes[hash] < length; counter += 1) {
    const suffix = Buffer.alloc(4);
    suffix.writeUInt32BE(counter);
    parts.push(createHash(hash).update(seed).update(suffix).digest());
  }
  return Buffer.concat(parts).subarray(0, length);
}
