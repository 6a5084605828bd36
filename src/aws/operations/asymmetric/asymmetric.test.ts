import {
  constants,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  publicEncrypt,
  verify as verifyWith,
} from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ASYMMETRIC_SPECS } from "../../../crypto/asymmetric/key-types.ts";
import { algorithmsOf, type KeySpec, type KeyUsage, usagesOf } from "../../../crypto/key-specs.ts";
import { AwsKeyring } from "../../../testing/aws-keyring.ts";
import { decrypt } from "../decrypt.ts";
import { encrypt } from "../encrypt.ts";
import { reEncrypt } from "../re-encrypt.ts";
import { decapsulate } from "./decapsulate.ts";
import { deriveSharedSecret } from "./derive-shared-secret.ts";
import { encapsulate } from "./encapsulate.ts";
import { getPublicKey } from "./get-public-key.ts";
import { sign } from "./sign.ts";
import { verify } from "./verify.ts";

const Message = Buffer.from("attack at dawn");
const keyIds = new Map<string, string>();
const idOf = (spec: KeySpec, usage: KeyUsage): string => keyIds.get(`${spec} ${usage}`) ?? "";
const arnOf = (keyId: string) => `arn:aws:kms:us-local-1:000000000000:key/${keyId}`;

const pairs = ASYMMETRIC_SPECS.flatMap((spec) => usagesOf(spec).map((usage) => ({ spec, usage })));
/** The rows [spec, algorithm] of a usage. ED25519_PH_SHA_512 is not served. */
const algorithms = (usage: KeyUsage) =>
  pairs
    .filter((pair) => pair.usage === usage)
    .flatMap(({ spec }) => algorithmsOf(spec, usage).map((algorithm) => [spec, algorithm] as const))
    .filter(([, algorithm]) => algorithm !== "ED25519_PH_SHA_512");

let keyring: AwsKeyring;
beforeAll(async () => {
  keyring = new AwsKeyring();
  for (const { spec: keySpec, usage: keyUsage } of pairs) {
    const name = `${keySpec}-${keyUsage}`.toLowerCase().replaceAll("_", "-");
    const { keyId } = await keyring.add(name, {}, { keySpec, keyUsage });
    keyIds.set(`${keySpec} ${keyUsage}`, keyId);
  }
  const { keyId } = await keyring.add("orders");
  keyIds.set("SYMMETRIC_DEFAULT ENCRYPT_DECRYPT", keyId);
  keyring.start();
});
afterAll(() => keyring.close());

/** Returns the public half as an application gets it. */
async function publicKeyOf(KeyId: string): Promise<KeyObject> {
  const { PublicKey } = await keyring.run(getPublicKey, { KeyId });
  return createPublicKey({ key: PublicKey, format: "der", type: "spki" });
}

describe("GetPublicKey", () => {
  it.each(pairs)(
    "of $spec for $usage => the key, and the algorithms of its usage alone",
    async ({ spec, usage }) => {
      const KeyId = idOf(spec, usage);
      const { PublicKey, ...rest } = await keyring.run(getPublicKey, { KeyId });
      const lists = {
        ENCRYPT_DECRYPT: "EncryptionAlgorithms",
        SIGN_VERIFY: "SigningAlgorithms",
        GENERATE_VERIFY_MAC: "",
        KEY_AGREEMENT: "KeyAgreementAlgorithms",
        ENCAPSULATE_DECAPSULATE: "EncapsulationAlgorithms",
      };
      expect(rest).toEqual({
        KeyId: arnOf(KeyId),
        KeySpec: spec,
        CustomerMasterKeySpec: spec,
        KeyUsage: usage,
        [lists[usage]]: algorithmsOf(spec, usage),
      });
      expect(createPublicKey({ key: PublicKey, format: "der", type: "spki" }).type).toBe("public");
    },
  );

  it("of a symmetric key => UnsupportedOperationException", async () => {
    const KeyId = idOf("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
    await expect(keyring.run(getPublicKey, { KeyId })).rejects.toMatchObject({
      type: "UnsupportedOperationException",
    });
  });
});

describe("Sign and Verify", () => {
  const hashOf = (algorithm: string) => `sha${algorithm.slice(-3)}`;
  const isDigested = (algorithm: string) => /^(RSA|ECDSA)/.test(algorithm);

  it.each(algorithms("SIGN_VERIFY"))(
    "a key of spec %s signs with %s, and anybody can verify it",
    async (spec, SigningAlgorithm) => {
      const KeyId = idOf(spec, "SIGN_VERIFY");
      const input = { KeyId, Message, SigningAlgorithm };
      const { Signature, ...rest } = await keyring.run(sign, input);
      expect(rest).toEqual({ KeyId: arnOf(KeyId), SigningAlgorithm });
      const key = await publicKeyOf(KeyId);
      const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
      const algorithm = isDigested(SigningAlgorithm) ? hashOf(SigningAlgorithm) : null;
      const options = { key, ...(SigningAlgorithm.includes("PSS") && pss) };
      expect(verifyWith(algorithm, Message, options, Signature)).toBe(true);
      expect(await keyring.run(verify, { ...input, Signature })).toEqual({
        KeyId: arnOf(KeyId),
        SignatureValid: true,
        SigningAlgorithm,
      });
      const forged = { ...input, Signature, Message: Buffer.from("attack at dusk") };
      await expect(keyring.run(verify, forged)).rejects.toMatchObject({
        type: "KMSInvalidSignatureException",
      });
    },
  );

  it.each(algorithms("SIGN_VERIFY").filter(([, algorithm]) => isDigested(algorithm)))(
    "%s, %s: the signature of a digest is the signature of its message",
    async (spec, SigningAlgorithm) => {
      const KeyId = idOf(spec, "SIGN_VERIFY");
      const digest = createHash(hashOf(SigningAlgorithm)).update(Message).digest();
      const digested = { KeyId, Message: digest, MessageType: "DIGEST", SigningAlgorithm } as const;
      const { Signature } = await keyring.run(sign, digested);
      for (const input of [digested, { KeyId, Message, SigningAlgorithm }])
        expect(await keyring.run(verify, { ...input, Signature })).toMatchObject({ SignatureValid: true });
    },
  );

  it.each([
    [
      "an algorithm of other keys",
      "ECC_NIST_P256",
      { SigningAlgorithm: "ECDSA_SHA_384" },
      "InvalidKeyUsageException",
    ],
    [
      "a digest of another length",
      "RSA_2048",
      { SigningAlgorithm: "RSASSA_PSS_SHA_256", MessageType: "DIGEST" },
      "ValidationException",
    ],
    [
      "Ed25519ph",
      "ECC_NIST_EDWARDS25519",
      { SigningAlgorithm: "ED25519_PH_SHA_512", MessageType: "DIGEST" },
      "UnsupportedOperationException",
    ],
    [
      "ML-DSA's message representative",
      "ML_DSA_44",
      { SigningAlgorithm: "ML_DSA_SHAKE_256", MessageType: "EXTERNAL_MU" },
      "UnsupportedOperationException",
    ],
    [
      "Ed25519 of a digest",
      "ECC_NIST_EDWARDS25519",
      { SigningAlgorithm: "ED25519_SHA_512", MessageType: "DIGEST" },
      "ValidationException",
    ],
  ] as const)("%s => refused, before a dry run would say otherwise", async (_, spec, members, type) => {
    const input = { KeyId: idOf(spec, "SIGN_VERIFY"), Message, ...members };
    await expect(keyring.run(sign, input)).rejects.toMatchObject({ type });
    await expect(keyring.run(verify, { ...input, Signature: Buffer.alloc(64) })).rejects.toMatchObject({
      type,
    });
  });

  it("a key for another usage => InvalidKeyUsageException", async () => {
    const KeyId = idOf("ECC_NIST_P256", "KEY_AGREEMENT");
    const run = keyring.run(sign, { KeyId, Message, SigningAlgorithm: "ECDSA_SHA_256" });
    await expect(run).rejects.toMatchObject({ type: "InvalidKeyUsageException" });
  });
});

describe("RSA encryption", () => {
  it.each(algorithms("ENCRYPT_DECRYPT"))(
    "%s, %s: what the key or its public half encrypts, it decrypts",
    async (spec, algorithm) => {
      const KeyId = idOf(spec, "ENCRYPT_DECRYPT");
      const EncryptionAlgorithm = algorithm;
      const { CiphertextBlob } = await keyring.run(encrypt, {
        KeyId,
        Plaintext: Message,
        EncryptionAlgorithm,
      });
      const oaepHash = algorithm.endsWith("SHA_1") ? "sha1" : "sha256";
      const outside = publicEncrypt({ key: await publicKeyOf(KeyId), oaepHash }, Message);
      for (const blob of [CiphertextBlob, outside]) {
        const answer = await keyring.run(decrypt, { KeyId, CiphertextBlob: blob, EncryptionAlgorithm });
        expect(Buffer.from(answer.Plaintext)).toEqual(Message);
        expect(answer).toMatchObject({ KeyId: arnOf(KeyId), EncryptionAlgorithm, KeyMaterialId: undefined });
      }
      CiphertextBlob[9] = (CiphertextBlob[9] ?? 0) ^ 1;
      await expect(
        keyring.run(decrypt, { KeyId, CiphertextBlob, EncryptionAlgorithm }),
      ).rejects.toMatchObject({
        type: "InvalidCiphertextException",
      });
    },
  );

  it("an encryption context => ValidationException, and not a ciphertext that is not bound to it", async () => {
    const input = { KeyId: idOf("RSA_2048", "ENCRYPT_DECRYPT"), EncryptionAlgorithm: "RSAES_OAEP_SHA_256" };
    const run = keyring.run(encrypt, { ...input, Plaintext: Message, EncryptionContext: { a: "b" } });
    await expect(run).rejects.toMatchObject({ type: "ValidationException" });
  });

  it("no algorithm => InvalidKeyUsageException; too long a plaintext => ValidationException", async () => {
    const KeyId = idOf("RSA_2048", "ENCRYPT_DECRYPT");
    const refused = (type: string) => expect.objectContaining({ type });
    const run = keyring.run(encrypt, { KeyId, Plaintext: Message });
    await expect(run).rejects.toEqual(refused("InvalidKeyUsageException"));
    const long = { KeyId, Plaintext: Buffer.alloc(191), EncryptionAlgorithm: "RSAES_OAEP_SHA_256" };
    await expect(keyring.run(encrypt, long)).rejects.toEqual(refused("ValidationException"));
  });

  it("ReEncrypt moves a ciphertext from a symmetric key to RSA and back", async () => {
    const DestinationKeyId = idOf("RSA_2048", "ENCRYPT_DECRYPT");
    const KeyId = idOf("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
    const { CiphertextBlob } = await keyring.run(encrypt, { KeyId, Plaintext: Message });
    const DestinationEncryptionAlgorithm = "RSAES_OAEP_SHA_256";
    const there = { CiphertextBlob, DestinationKeyId, DestinationEncryptionAlgorithm };
    const output = await keyring.run(reEncrypt, there);
    expect(output).toMatchObject({ DestinationEncryptionAlgorithm, DestinationKeyMaterialId: undefined });
    const back = await keyring.run(reEncrypt, {
      CiphertextBlob: output.CiphertextBlob,
      SourceKeyId: DestinationKeyId,
      SourceEncryptionAlgorithm: DestinationEncryptionAlgorithm,
      DestinationKeyId: KeyId,
    });
    const { Plaintext } = await keyring.run(decrypt, { CiphertextBlob: back.CiphertextBlob });
    expect(Buffer.from(Plaintext)).toEqual(Message);
  });
});

describe("DeriveSharedSecret", () => {
  const curves = { ECC_NIST_P256: "P-256", ECC_NIST_P384: "P-384", ECC_NIST_P521: "P-521" } as const;
  const spki = (key: KeyObject) => key.export({ format: "der", type: "spki" });

  it.each(Object.entries(curves))("%s: the other party derives the same secret", async (spec, namedCurve) => {
    const KeyId = idOf(spec as KeySpec, "KEY_AGREEMENT");
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve });
    const input = { KeyId, KeyAgreementAlgorithm: "ECDH", PublicKey: spki(publicKey) };
    const output = await keyring.run(deriveSharedSecret, input);
    const theirs = diffieHellman({ privateKey, publicKey: await publicKeyOf(KeyId) });
    expect(Buffer.from(output.SharedSecret)).toEqual(theirs);
    expect(output).toMatchObject({
      KeyId: arnOf(KeyId),
      KeyAgreementAlgorithm: "ECDH",
      KeyOrigin: "AWS_KMS",
    });
  });

  it.each([
    ["a point of another curve", spki(generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey)],
    ["no public key", Buffer.from("x")],
  ])("%s => ValidationException, as a dry run too", async (_, PublicKey) => {
    const input = { KeyId: idOf("ECC_NIST_P256", "KEY_AGREEMENT"), KeyAgreementAlgorithm: "ECDH", PublicKey };
    for (const DryRun of [false, true])
      await expect(keyring.run(deriveSharedSecret, { ...input, DryRun })).rejects.toMatchObject({
        type: "ValidationException",
      });
  });
});

describe("Encapsulate and Decapsulate", () => {
  it.each(algorithms("ENCAPSULATE_DECAPSULATE"))(
    "%s, %s: the secret comes back",
    async (spec, EncapsulationAlgorithm) => {
      const KeyId = idOf(spec, "ENCAPSULATE_DECAPSULATE");
      const { SharedSecret, SharedSecretCiphertextBlob, ...rest } = await keyring.run(encapsulate, {
        KeyId,
        EncapsulationAlgorithm,
      });
      expect(SharedSecret).toHaveLength(32);
      const input = { KeyId, EncapsulationAlgorithm, SharedSecretCiphertextBlob };
      expect(await keyring.run(decapsulate, input)).toEqual({ ...rest, SharedSecret });
      const short = { ...input, SharedSecretCiphertextBlob: SharedSecretCiphertextBlob.subarray(1) };
      await expect(keyring.run(decapsulate, short)).rejects.toMatchObject({
        type: "InvalidCiphertextException",
      });
    },
  );
});

it("each needs the permission of its own name", () => {
  const KeyId = idOf("ECC_NIST_P256", "SIGN_VERIFY");
  const blob = Buffer.alloc(1);
  const signing = { KeyId, Message, SigningAlgorithm: "ECDSA_SHA_256" };
  const kem = { KeyId, EncapsulationAlgorithm: "ML_KEM" };
  const needed = [
    keyring.needs(sign, signing),
    keyring.needs(verify, { ...signing, Signature: blob }),
    keyring.needs(getPublicKey, { KeyId }),
    keyring.needs(deriveSharedSecret, { KeyId, KeyAgreementAlgorithm: "ECDH", PublicKey: blob }),
    keyring.needs(encapsulate, kem),
    keyring.needs(decapsulate, { ...kem, SharedSecretCiphertextBlob: blob }),
  ].flat();
  expect(needed.map(({ action }) => action)).toEqual([
    "Sign",
    "Verify",
    "GetPublicKey",
    "DeriveSharedSecret",
    "Encapsulate",
    "Decapsulate",
  ]);
  expect(needed.every(({ key }) => key?.keyId === KeyId)).toBe(true);
});
