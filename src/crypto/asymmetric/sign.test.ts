import { constants, createHash, verify as verifyByNode } from "node:crypto";
import { expect, test } from "vitest";
import { privateKeyFor } from "../../testing/materials.ts";
import { encodeEcdsaSignature, parseEcdsaSignature } from "./ecdsa-signature.ts";
import { type AsymmetricSpec, keyTypes } from "./key-types.ts";
import { publicKeyOf } from "./private-key.ts";
import { sign } from "./sign.ts";
import type { MessageType } from "./signing-schemes.ts";
import { verify } from "./verify.ts";

const MESSAGE = Buffer.from("the message");
const digest = (hash: string): Buffer => createHash(hash).update(MESSAGE).digest();
const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };

/** A spec, its algorithm, its hash, and the way in which node:crypto verifies it. */
type Way = readonly [AsymmetricSpec, string, string | null, object];

const rsa = (["RSA_2048", "RSA_3072", "RSA_4096"] as const).flatMap((spec) =>
  ["256", "384", "512"].flatMap((bits): Way[] => [
    [spec, `RSASSA_PKCS1_V1_5_SHA_${bits}`, `sha${bits}`, {}],
    [spec, `RSASSA_PSS_SHA_${bits}`, `sha${bits}`, PSS],
  ]),
);
const hashed: readonly Way[] = [
  ...rsa,
  ["ECC_NIST_P256", "ECDSA_SHA_256", "sha256", {}],
  ["ECC_SECG_P256K1", "ECDSA_SHA_256", "sha256", {}],
  ["ECC_NIST_P384", "ECDSA_SHA_384", "sha384", {}],
  ["ECC_NIST_P521", "ECDSA_SHA_512", "sha512", {}],
];
const whole: readonly Way[] = [
  ["ECC_NIST_EDWARDS25519", "ED25519_SHA_512", null, {}],
  ["ML_DSA_44", "ML_DSA_SHAKE_256", null, {}],
  ["ML_DSA_65", "ML_DSA_SHAKE_256", null, {}],
  ["ML_DSA_87", "ML_DSA_SHAKE_256", null, {}],
];

test.each([...hashed, ...whole])(
  "%s signs a message by %s => node:crypto verifies it, and another message is not signed",
  async (spec, algorithm, hash, options) => {
    using material = await privateKeyFor(spec);
    const signing = { spec, algorithm, messageType: "RAW" } as const;
    const signature = sign(signing, material, MESSAGE);
    const key = publicKeyOf(spec, material);
    expect(verifyByNode(hash, MESSAGE, { key, ...options }, signature)).toBe(true);
    expect(verify(signing, material, MESSAGE, signature)).toBe(true);
    expect(verify(signing, material, Buffer.from("another"), signature)).toBe(false);
    expect(verify(signing, material, MESSAGE, signature.subarray(1))).toBe(false);
    expect(verify(signing, material, MESSAGE, Buffer.concat([signature, Buffer.alloc(1)]))).toBe(false);
    expect(verify(signing, material, MESSAGE, Buffer.alloc(0))).toBe(false);
  },
);

test.each(hashed)(
  "%s signs a digest by %s => it is the signature of the message, for node:crypto too",
  async (spec, algorithm, hash, options) => {
    using material = await privateKeyFor(spec);
    const ofDigest = { spec, algorithm, messageType: "DIGEST" } as const;
    const ofMessage = { spec, algorithm, messageType: "RAW" } as const;
    const signature = sign(ofDigest, material, digest(hash ?? ""));
    const key = publicKeyOf(spec, material);
    expect(verifyByNode(hash, MESSAGE, { key, ...options }, signature)).toBe(true);
    expect(verify(ofMessage, material, MESSAGE, signature)).toBe(true);
    const other = sign(ofMessage, material, MESSAGE);
    expect(verify(ofDigest, material, digest(hash ?? ""), other)).toBe(true);
    const altered = digest(hash ?? "");
    altered[0] = (altered[0] ?? 0) ^ 1;
    expect(verify(ofDigest, material, altered, other)).toBe(false);
  },
);

const curves = hashed.filter(([spec]) => spec.startsWith("ECC_"));

test.each(curves)(
  "%s: an altered signature of a digest => refused, as node:crypto refuses it",
  async (spec, algorithm, hash) => {
    using material = await privateKeyFor(spec);
    const key = publicKeyOf(spec, material);
    const signing = { spec, algorithm, messageType: "DIGEST" } as const;
    const signature = sign(signing, material, digest(hash ?? ""));
    for (let at = 0; at < signature.length; at += at < 8 ? 1 : 7) {
      const altered = Buffer.from(signature);
      altered[at] = (altered[at] ?? 0) ^ 0x80;
      const byNode = verifyByNode(hash, MESSAGE, key, altered);
      expect([at, verify(signing, material, digest(hash ?? ""), altered)]).toEqual([at, byNode]);
      expect(byNode).toBe(false);
    }
  },
);

test.each(curves)(
  "%s: the other s of a signature => valid, as for AWS KMS",
  async (spec, algorithm, hash) => {
    using material = await privateKeyFor(spec);
    const type = keyTypes[spec];
    if (type.kind !== "ec") throw new Error("no curve");
    const signature = sign({ spec, algorithm, messageType: "RAW" }, material, MESSAGE);
    const numbers = parseEcdsaSignature(signature, type.curve);
    const other = { r: numbers?.r ?? 0n, s: type.curve.order - (numbers?.s ?? 0n) };
    const malleated = encodeEcdsaSignature(other, type.curve.bytes);
    expect(verify({ spec, algorithm, messageType: "RAW" }, material, MESSAGE, malleated)).toBe(true);
    const signing = { spec, algorithm, messageType: "DIGEST" } as const;
    expect(verify(signing, material, digest(hash ?? ""), malleated)).toBe(true);
  },
);

test("a digest whose number is zero has no signature that OpenSSL could compute => refused", async () => {
  using material = await privateKeyFor("ECC_NIST_P256");
  const signing = { spec: "ECC_NIST_P256", algorithm: "ECDSA_SHA_256", messageType: "DIGEST" } as const;
  expect(() => sign(signing, material, Buffer.alloc(32))).toThrow(
    expect.objectContaining({ code: "InvalidArgument" }),
  );
});

test.each<readonly [AsymmetricSpec, string, MessageType, number, string]>([
  [
    "ECC_NIST_EDWARDS25519",
    "ED25519_PH_SHA_512",
    "DIGEST",
    64,
    "ED25519_PH_SHA_512 is not served, ED25519_SHA_512 is",
  ],
  ["ECC_NIST_EDWARDS25519", "ED25519_SHA_512", "DIGEST", 64, "does not sign a message of type DIGEST"],
  ["ML_DSA_44", "ML_DSA_SHAKE_256", "EXTERNAL_MU", 64, "message type EXTERNAL_MU is not served for ML_DSA"],
  ["ML_DSA_44", "ML_DSA_SHAKE_256", "DIGEST", 64, "does not sign a message of type DIGEST"],
  ["RSA_2048", "RSASSA_PSS_SHA_256", "EXTERNAL_MU", 64, "does not sign a message of type EXTERNAL_MU"],
  ["RSA_2048", "RSASSA_PSS_SHA_384", "DIGEST", 32, "the digest has 32 bytes and RSASSA_PSS_SHA_384 needs 48"],
  ["ECC_NIST_P256", "ECDSA_SHA_256", "DIGEST", 33, "the digest has 33 bytes and ECDSA_SHA_256 needs 32"],
  [
    "ECC_NIST_P256",
    "ECDSA_SHA_384",
    "RAW",
    9,
    "a key of spec ECC_NIST_P256 does not sign with this algorithm",
  ],
  ["RSA_2048", "ECDSA_SHA_256", "RAW", 9, "a key of spec RSA_2048 does not sign with this algorithm"],
  ["ML_KEM_768", "ML_DSA_SHAKE_256", "RAW", 9, "a key of spec ML_KEM_768 does not sign with this algorithm"],
  ["RSA_2048", "constructor", "RAW", 9, "a key of spec RSA_2048 does not sign with this algorithm"],
])(
  "%s by %s of %s, %i bytes => refused: nothing else is signed in its place",
  async (spec, algorithm, messageType, size, message) => {
    using material = await privateKeyFor(spec);
    const signing = { spec, algorithm, messageType };
    const refused = expect.objectContaining({
      code: "InvalidArgument",
      message: expect.stringContaining(message),
    });
    expect(() => sign(signing, material, Buffer.alloc(size))).toThrow(refused);
    expect(() => verify(signing, material, Buffer.alloc(size), Buffer.alloc(64))).toThrow(refused);
  },
);
