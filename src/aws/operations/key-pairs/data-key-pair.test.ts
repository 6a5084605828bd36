import { createPrivateKey, createPublicKey } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ASYMMETRIC_SPECS } from "../../../crypto/asymmetric/key-types.ts";
import { AwsKeyring } from "../../../testing/aws-keyring.ts";
import { decrypt } from "../decrypt.ts";
import { generateDataKeyPair } from "./generate-data-key-pair.ts";
import { generateDataKeyPairWithoutPlaintext } from "./generate-data-key-pair-without-plaintext.ts";

const EncryptionContext = { tenant: "a" };

/** Returns the public half of a private key that an application has got. */
const publicHalf = (key: Uint8Array): Buffer =>
  createPublicKey(createPrivateKey({ key: Buffer.from(key), format: "der", type: "pkcs8" })).export({
    format: "der",
    type: "spki",
  });

let keyring: AwsKeyring;
let KeyId: string;
beforeAll(async () => {
  keyring = new AwsKeyring();
  ({ keyId: KeyId } = await keyring.add("orders"));
  await keyring.add("tokens", {}, { keySpec: "HMAC_256" });
  keyring.alias("orders", "orders");
  keyring.alias("tokens", "tokens");
  keyring.start();
});
afterAll(() => keyring.close());

describe("GenerateDataKeyPair", () => {
  // AWS KMS makes no pairs of ML-DSA; RSA_3072 and RSA_4096 differ from RSA_2048 by the seconds that they take.
  it.each(ASYMMETRIC_SPECS.filter((spec) => !/RSA_[34]|ML_DSA/.test(spec)))(
    "%s => the ciphertext decrypts to the private key, whose public half is answered",
    async (KeyPairSpec) => {
      const output = await keyring.run(generateDataKeyPair, { KeyId, KeyPairSpec, EncryptionContext });
      expect(output).toMatchObject({ KeyPairSpec, KeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/) });
      expect(publicHalf(output.PrivateKeyPlaintext)).toEqual(output.PublicKey);
      const CiphertextBlob = output.PrivateKeyCiphertextBlob;
      const { Plaintext, KeyId: arn } = await keyring.run(decrypt, { CiphertextBlob, EncryptionContext });
      expect(Buffer.from(Plaintext)).toEqual(Buffer.from(output.PrivateKeyPlaintext));
      expect(arn).toBe(output.KeyId);
    },
  );

  it("without plaintext => the private key is in its ciphertext alone", async () => {
    const output = await keyring.run(generateDataKeyPairWithoutPlaintext, {
      KeyId,
      KeyPairSpec: "ECC_NIST_P256",
    });
    expect(Object.keys(output).toSorted()).toEqual([
      "KeyId",
      "KeyMaterialId",
      "KeyPairSpec",
      "PrivateKeyCiphertextBlob",
      "PublicKey",
    ]);
    const { Plaintext } = await keyring.run(decrypt, { CiphertextBlob: output.PrivateKeyCiphertextBlob });
    expect(publicHalf(Plaintext)).toEqual(output.PublicKey);
  });

  it("more RSA pairs at once than clients wait for => the rest is throttled, and other pairs do not wait", async () => {
    const ask = (KeyPairSpec: string) =>
      keyring.run(generateDataKeyPairWithoutPlaintext, { KeyId, KeyPairSpec });
    const rsa = Array.from({ length: 10 }, () => ask("RSA_2048"));
    const settled = Promise.allSettled(rsa);
    const first = await Promise.race([rsa[7], ask("ECC_NIST_P256")]);
    expect(first).toMatchObject({ KeyPairSpec: "ECC_NIST_P256" });
    const outcomes = await settled;
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(8);
    const refused = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
    expect(refused).toEqual([
      expect.objectContaining({ type: "ThrottlingException" }),
      expect.objectContaining({ type: "ThrottlingException" }),
    ]);
  });

  it.each([
    ["SM2", "alias/orders", "UnsupportedOperationException"],
    ["ECC_NIST_P256", "alias/tokens", "InvalidKeyUsageException"],
  ] as const)("%s under %s => %s", async (KeyPairSpec, alias, type) => {
    const refused = expect.objectContaining({ type });
    await expect(keyring.run(generateDataKeyPair, { KeyId: alias, KeyPairSpec })).rejects.toEqual(refused);
    await expect(
      keyring.run(generateDataKeyPairWithoutPlaintext, { KeyId: alias, KeyPairSpec }),
    ).rejects.toEqual(refused);
  });

  it("each needs the permission of its own name, in the context", async () => {
    const input = { KeyId, KeyPairSpec: "ECC_NIST_P256", EncryptionContext };
    expect(keyring.needs(generateDataKeyPair, input)).toMatchObject([
      { action: "GenerateDataKeyPair", context: EncryptionContext },
    ]);
    expect(keyring.needs(generateDataKeyPairWithoutPlaintext, input)).toMatchObject([
      { action: "GenerateDataKeyPairWithoutPlaintext", context: EncryptionContext },
    ]);
  });
});
