import { constants, createPublicKey, publicEncrypt } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidCiphertext } from "../../errors.ts";
import { privateKeyFor } from "../../testing/materials.ts";
import { deriveSharedSecret } from "./agree.ts";
import { decapsulate, encapsulate } from "./encapsulate.ts";
import { generateKeyPair } from "./generate.ts";
import type { AsymmetricSpec } from "./key-types.ts";
import { decryptOaep, encryptOaep } from "./oaep.ts";
import { publicKeyDer } from "./private-key.ts";

const bytesOf = (secret: { exposeSecretBytes(): Uint8Array }): Buffer =>
  Buffer.from(secret.exposeSecretBytes());
const refusal = (message: RegExp) =>
  expect.objectContaining({ code: "InvalidArgument", message: expect.stringMatching(message) });

describe("RSA-OAEP", () => {
  // AWS KMS developer guide, "RSA key specs for encryption and decryption".
  test.each([
    ["RSA_2048", "RSAES_OAEP_SHA_1", 214],
    ["RSA_2048", "RSAES_OAEP_SHA_256", 190],
    ["RSA_3072", "RSAES_OAEP_SHA_1", 342],
    ["RSA_3072", "RSAES_OAEP_SHA_256", 318],
    ["RSA_4096", "RSAES_OAEP_SHA_1", 470],
    ["RSA_4096", "RSAES_OAEP_SHA_256", 446],
  ] as const)(
    "%s with %s encrypts %i bytes and no more, and decrypts them",
    async (spec, algorithm, most) => {
      using material = await privateKeyFor(spec);
      const plaintext = Buffer.alloc(most, 7);
      const ciphertext = encryptOaep(spec, algorithm, material, plaintext);
      expect(bytesOf(decryptOaep(spec, algorithm, material, ciphertext))).toEqual(plaintext);
      expect(() => encryptOaep(spec, algorithm, material, Buffer.alloc(most + 1))).toThrow(
        refusal(new RegExp(`has ${most + 1} bytes, and a key of spec ${spec} encrypts at most ${most} `)),
      );
    },
  );

  test("whatever is wrong with a ciphertext => the same answer", async () => {
    using material = await privateKeyFor("RSA_2048");
    const algorithm = "RSAES_OAEP_SHA_256";
    const right = encryptOaep("RSA_2048", algorithm, material, Buffer.from("text"));
    const key = createPublicKey({ key: publicKeyDer("RSA_2048", material), format: "der", type: "spki" });
    const wrong = [
      right.subarray(1),
      Buffer.concat([right, Buffer.alloc(1)]),
      Buffer.alloc(0),
      Buffer.alloc(256, 0xff),
      right.map((byte, at) => (at === 200 ? byte ^ 1 : byte)),
      encryptOaep("RSA_2048", "RSAES_OAEP_SHA_1", material, Buffer.from("text")),
      publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, Buffer.from("text")),
    ];
    for (const ciphertext of wrong)
      expect(() => decryptOaep("RSA_2048", algorithm, material, ciphertext)).toThrow(
        new InvalidCiphertext("TagMismatch").message,
      );
  });

  test.each<readonly [AsymmetricSpec, string]>([
    ["ECC_NIST_P256", "RSAES_OAEP_SHA_256"],
    ["RSA_2048", "RSAES_PKCS1_V1_5"],
    ["RSA_2048", "SYMMETRIC_DEFAULT"],
  ])("%s with %s => refused", async (spec, algorithm) => {
    using material = await privateKeyFor(spec);
    const refused = refusal(new RegExp(`a key of spec ${spec} does not encrypt with this algorithm`));
    expect(() => encryptOaep(spec, algorithm, material, Buffer.alloc(1))).toThrow(refused);
    expect(() => decryptOaep(spec, algorithm, material, Buffer.alloc(256))).toThrow(refused);
  });
});

describe("ECDH", () => {
  test.each([
    ["ECC_NIST_P256", 32],
    ["ECC_NIST_P384", 48],
    ["ECC_NIST_P521", 66],
  ] as const)("two keys of %s => both derive the same %i bytes", async (spec, size) => {
    const [mine, theirs] = [await generateKeyPair(spec), await generateKeyPair(spec)];
    const secret = deriveSharedSecret(spec, "ECDH", mine.privateKey, theirs.publicKey);
    expect(secret.size).toBe(size);
    expect(bytesOf(deriveSharedSecret(spec, "ECDH", theirs.privateKey, mine.publicKey))).toEqual(
      bytesOf(secret),
    );
  });

  test("a point of another curve, no point, other DER => refused in one way", async () => {
    using material = await privateKeyFor("ECC_NIST_P256");
    const { publicKey } = await generateKeyPair("ECC_NIST_P256");
    const offCurve = Buffer.from(publicKey);
    offCurve[40] = (offCurve[40] ?? 0) ^ 1;
    const wrong = [
      offCurve,
      (await generateKeyPair("ECC_NIST_P384")).publicKey,
      (await generateKeyPair("ECC_SECG_P256K1")).publicKey,
      (await generateKeyPair("ECC_NIST_EDWARDS25519")).publicKey,
      publicKey.subarray(0, -1),
      Buffer.concat([publicKey, Buffer.alloc(1)]),
      Buffer.alloc(91),
      Buffer.alloc(0),
    ];
    for (const one of wrong)
      expect(() => deriveSharedSecret("ECC_NIST_P256", "ECDH", material, one)).toThrow(
        refusal(/uncompressed point of the curve of ECC_NIST_P256$/),
      );
  });

  test("arbitrary and changed bytes in the place of a public key => refused, and no crash", async () => {
    using material = await privateKeyFor("ECC_NIST_P256");
    const { publicKey } = await generateKeyPair("ECC_NIST_P256");
    const changed = fc
      .record({ at: fc.nat(publicKey.length - 1), bit: fc.nat(7) })
      .map(({ at, bit }) => publicKey.map((byte, index) => (index === at ? byte ^ (1 << bit) : byte)));
    fc.assert(
      fc.property(fc.oneof(changed, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        expect(() => deriveSharedSecret("ECC_NIST_P256", "ECDH", material, bytes)).toThrow(
          refusal(/uncompressed point of the curve/),
        );
      }),
      { numRuns: 300 },
    );
  });

  test.each<readonly [AsymmetricSpec, string]>([
    ["ECC_SECG_P256K1", "ECDH"],
    ["ECC_NIST_EDWARDS25519", "ECDH"],
    ["RSA_2048", "ECDH"],
    ["ECC_NIST_P256", "DH"],
  ])("%s by %s => refused, because AWS KMS has no such agreement", async (spec, algorithm) => {
    using material = await privateKeyFor(spec);
    const { publicKey } = await generateKeyPair("ECC_NIST_P256");
    expect(() => deriveSharedSecret(spec, algorithm, material, publicKey)).toThrow(
      refusal(new RegExp(`a key of spec ${spec} derives no secret`)),
    );
  });
});

describe("ML-KEM", () => {
  test.each([
    ["ML_KEM_512", 768],
    ["ML_KEM_768", 1088],
    ["ML_KEM_1024", 1568],
  ] as const)("%s encapsulates 32 bytes in %i, each time others", async (spec, size) => {
    using material = await privateKeyFor(spec);
    const first = encapsulate(spec, "ML_KEM", material);
    const second = encapsulate(spec, "ML_KEM", material);
    expect([first.ciphertext.length, first.sharedSecret.size]).toEqual([size, 32]);
    expect(bytesOf(decapsulate(spec, "ML_KEM", material, first.ciphertext))).toEqual(
      bytesOf(first.sharedSecret),
    );
    expect(bytesOf(second.sharedSecret)).not.toEqual(bytesOf(first.sharedSecret));
  });

  test("an altered ciphertext => another secret; of another length => InvalidCiphertext", async () => {
    using material = await privateKeyFor("ML_KEM_768");
    const { sharedSecret, ciphertext } = encapsulate("ML_KEM_768", "ML_KEM", material);
    const altered = ciphertext.map((byte, at) => (at === 5 ? byte ^ 1 : byte));
    expect(bytesOf(decapsulate("ML_KEM_768", "ML_KEM", material, altered))).not.toEqual(
      bytesOf(sharedSecret),
    );
    expect(() => decapsulate("ML_KEM_768", "ML_KEM", material, ciphertext.subarray(1))).toThrow(
      InvalidCiphertext,
    );
  });

  test("a key of another kind, or another algorithm => refused", async () => {
    using material = await privateKeyFor("ML_DSA_44");
    const refused = refusal(/a key of spec ML_DSA_44 does not encapsulate with this algorithm/);
    expect(() => encapsulate("ML_DSA_44", "ML_KEM", material)).toThrow(refused);
    expect(() => decapsulate("ML_DSA_44", "ML_KEM", material, Buffer.alloc(768))).toThrow(refused);
    using kem = await privateKeyFor("ML_KEM_512");
    expect(() => encapsulate("ML_KEM_512", "RSA", kem)).toThrow(refusal(/ML_KEM_512 does not encapsulate/));
  });
});
