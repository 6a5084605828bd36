import { createCipheriv, createDecipheriv } from "node:crypto";
import { expect, it } from "vitest";
import { InvalidCiphertext } from "../errors.ts";
import { newKeyId, newVersionId } from "./ids.ts";
import { decryptMessage, encryptWithSalt, HEADER_BYTES, type MessageScope, parseMessage } from "./message.ts";
import { Secret } from "./secret.ts";
import { deriveMessageKey } from "./suite1.ts";

/**
 * With AES-GCM alone, anybody who knows two keys can make one ciphertext that opens under both (Dodis,
 * Grubbs, Ristenpart, Woodage: "Fast Message Franking", 2018). This test makes such a message and shows that
 * the commitment refuses it.
 */
it("a ciphertext that AES-GCM opens under two keys is refused under all but the committed one", () => {
  const salt = Buffer.alloc(32, 7);
  const one = scopeOf(1);
  const two = { ...one, material: Secret.take(Buffer.alloc(32, 2)) };
  const [keyOne, keyTwo] = [one, two].map(({ material }) => deriveMessageKey(material, salt, "aws-kms").key);
  if (keyOne === undefined || keyTwo === undefined) throw new Error("two keys were derived");

  const header = encryptWithSalt(one, new Uint8Array(16), salt).subarray(0, HEADER_BYTES);
  const block = collidingBlock(keyOne, keyTwo, header);
  const tag = tagOf(keyOne, header, block);
  const message = parseMessage(Buffer.concat([header, block, tag]));

  expect(openRaw(keyOne, header, block, tag)).toHaveLength(16);
  expect(openRaw(keyTwo, header, block, tag)).toHaveLength(16);
  expect(openRaw(keyOne, header, block, tag)).not.toEqual(openRaw(keyTwo, header, block, tag));

  expect(decryptMessage(one, message)).toEqual(openRaw(keyOne, header, block, tag));
  expect(() => decryptMessage(two, message)).toThrow(InvalidCiphertext);
  expect(() => decryptMessage(two, message)).toThrow(expect.objectContaining({ flaw: "CommitmentMismatch" }));
});

function scopeOf(fill: number): MessageScope {
  const material = Secret.take(Buffer.alloc(32, fill));
  return { keyId: newKeyId(), versionId: newVersionId(), material, purpose: "aws-kms", context: {} };
}

function openRaw(key: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array, tag: Uint8Array): Buffer {
  const decipher = createDecipheriv("aes-256-gcm", key, Buffer.alloc(12)).setAAD(aad).setAuthTag(tag);
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
}

/**
 * Returns the 16-byte ciphertext block whose tags under both keys are equal. With H = E(0) and J = E(nonce ‖
 * 1), the tag is J + A₁H⁹ + … + A₇H³ + C·H² + L·H (NIST SP 800-38D, section 7.1): two such equations, solved
 * for C.
 */
function collidingBlock(one: Uint8Array, two: Uint8Array, aad: Uint8Array): Buffer {
  const rest = bits(tagOf(one, aad, Buffer.alloc(16))) ^ bits(tagOf(two, aad, Buffer.alloc(16)));
  const squares = square(hashKey(one)) ^ square(hashKey(two));
  return blockOf(multiply(rest, inverse(squares)));
}

/**
 * Returns the tag that GCM gives a 16-byte ciphertext, by encrypting the plaintext that makes this
 * ciphertext.
 */
function tagOf(key: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array): Buffer {
  const stream = gcm(key, aad, Buffer.alloc(16)).ciphertext;
  return gcm(key, aad, xor(stream, ciphertext)).tag;
}

function gcm(key: Uint8Array, aad: Uint8Array, plaintext: Uint8Array) {
  const cipher = createCipheriv("aes-256-gcm", key, Buffer.alloc(12)).setAAD(aad);
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return { ciphertext, tag: cipher.getAuthTag() };
}

const hashKey = (key: Uint8Array): bigint =>
  bits(createCipheriv("aes-256-ecb", key, null).setAutoPadding(false).update(Buffer.alloc(16)));

const xor = (a: Uint8Array, b: Uint8Array): Buffer => blockOf(bits(a) ^ bits(b));
const bits = (block: Uint8Array): bigint => BigInt(`0x${Buffer.from(block).toString("hex")}`);
const blockOf = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(32, "0"), "hex");

/** Multiplies in GCM's field: the leftmost bit is the coefficient of x⁰ (SP 800-38D, section 6.3). */
function multiply(x: bigint, y: bigint): bigint {
  let product = 0n;
  let shifted = y;
  for (let bit = 127n; bit >= 0n; bit--) {
    if ((x >> bit) & 1n) product ^= shifted;
    shifted = shifted & 1n ? (shifted >> 1n) ^ (0xe1n << 120n) : shifted >> 1n;
  }
  return product;
}

const square = (x: bigint): bigint => multiply(x, x);

/** Returns x to the power of 2¹²⁸ − 2. */
function inverse(x: bigint): bigint {
  let power = x;
  let result = 1n << 127n;
  for (let bit = 1; bit < 128; bit++) {
    power = square(power);
    result = multiply(result, power);
  }
  return result;
}
