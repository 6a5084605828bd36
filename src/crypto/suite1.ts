import { createCipheriv, createDecipheriv, hkdfSync, timingSafeEqual } from "node:crypto";
import { InvalidCiphertext } from "../errors.ts";
import type { Secret } from "./secret.ts";

/**
 * Suite 1: HKDF-SHA-256 (RFC 5869) and AES-256-GCM (NIST SP 800-38D), with key commitment.
 *
 *   okm        = HKDF(ikm = material, salt, info = "claviger/v1" ‖ purpose, 64 bytes)
 *   key        = okm[0..32]     AES-256-GCM
 *   commitment = okm[32..64]    stored beside the ciphertext
 *
 * Each 32-byte random salt gives a key that encrypts one message, so the
 * nonce is zero and the 2^32 bound on random nonces does not apply. GCM alone
 * lets one ciphertext open under two keys; the commitment, a hash of the
 * material that is compared first, does not.
 */
export const SALT_BYTES = 32;
export const COMMITMENT_BYTES = 32;
export const TAG_BYTES = 16;

/**
 * The purpose of a ciphertext. It enters the key derivation, so that a ciphertext made at one door does not
 * open at another.
 */
export type Purpose = "kms-v2" | "aws-kms" | "aws-session" | "seal-file" | "join-answer";

const infoOf = (purpose: Purpose): Buffer => Buffer.from(`claviger/v1${purpose}`);
const INFO: Readonly<Record<Purpose, Buffer>> = {
  "kms-v2": infoOf("kms-v2"),
  "aws-kms": infoOf("aws-kms"),
  "aws-session": infoOf("aws-session"),
  "seal-file": infoOf("seal-file"),
  "join-answer": infoOf("join-answer"),
};
const KEY_BYTES = 32;
const ZERO_NONCE = Buffer.alloc(12);

/** The one-message key and its commitment. */
export interface MessageKey {
  readonly key: Uint8Array;
  readonly commitment: Uint8Array;
}

/** Derives the key of one message from the material and a 32-byte salt. Wipe `key` when done. */
export function deriveMessageKey(material: Secret, salt: Uint8Array, purpose: Purpose): MessageKey {
  if (salt.length !== SALT_BYTES) throw new RangeError(`a salt has ${SALT_BYTES} bytes`);
  const okm = new Uint8Array(
    hkdfSync("sha256", material.exposeSecretKey(), salt, INFO[purpose], KEY_BYTES + COMMITMENT_BYTES),
  );
  return { key: okm.subarray(0, KEY_BYTES), commitment: okm.subarray(KEY_BYTES) };
}

/** Encrypts once under a one-message key: ciphertext ‖ tag, 16 bytes longer than the plaintext. */
export function encryptOnce(key: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Buffer {
  const sealed = Buffer.allocUnsafe(plaintext.length + TAG_BYTES);
  encryptInto(sealed, 0, key, aad, plaintext);
  return sealed;
}

/** Encrypts once as `encryptOnce` does, and writes the result into `target` at `at`. */
export function encryptInto(
  target: Uint8Array,
  at: number,
  key: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): void {
  const cipher = createCipheriv("aes-256-gcm", key, ZERO_NONCE);
  cipher.setAAD(aad);
  target.set(cipher.update(plaintext), at);
  // GCM is a stream: the end adds nothing but the tag.
  cipher.final();
  target.set(cipher.getAuthTag(), at + plaintext.length);
}

/**
 * Opens `ciphertext ‖ tag`, the commitment first.
 * Throws InvalidCiphertext: CommitmentMismatch for another key, TagMismatch for altered bytes or AAD.
 */
export function decryptOnce(
  { key, commitment }: MessageKey,
  claimedCommitment: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Buffer {
  if (!timingSafeEqual(commitment, claimedCommitment)) throw new InvalidCiphertext("CommitmentMismatch");
  const split = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv("aes-256-gcm", key, ZERO_NONCE, { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(split));
  const plaintext = decipher.update(sealed.subarray(0, split));
  try {
    decipher.final();
  } catch {
    plaintext.fill(0);
    throw new InvalidCiphertext("TagMismatch");
  }
  return plaintext;
}
