import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AwsKeyring } from "../../testing/aws-keyring.ts";
import { decrypt } from "./decrypt.ts";
import { encrypt } from "./encrypt.ts";
import { reEncrypt } from "./re-encrypt.ts";

const Plaintext = Buffer.from("attack at dawn");
const arnOf = (keyId: string) => `arn:aws:kms:us-local-1:000000000000:key/${keyId}`;

let keyring: AwsKeyring;
beforeEach(() => {
  keyring = new AwsKeyring();
});
afterEach(() => keyring.close());

/** Returns two keys, and a ciphertext of the first in the context {tenant: "a"}. */
async function setUp(source = {}, destination = {}) {
  const { keyId } = await keyring.add("orders", source);
  const { keyId: DestinationKeyId } = await keyring.add("invoices", destination);
  keyring.start();
  return { keyId, DestinationKeyId };
}

const SourceEncryptionContext = { tenant: "a" };
const ciphertextOf = async (KeyId: string): Promise<Buffer> => {
  const input = { KeyId, Plaintext, EncryptionContext: SourceEncryptionContext };
  return (await keyring.run(encrypt, input)).CiphertextBlob;
};

describe("ReEncrypt", () => {
  it("changes the key and the context, and names both keys and both materials", async () => {
    const { keyId, DestinationKeyId } = await setUp();
    const CiphertextBlob = await ciphertextOf(keyId);
    const DestinationEncryptionContext = { tenant: "b" };
    const input = { CiphertextBlob, DestinationKeyId, SourceEncryptionContext, DestinationEncryptionContext };
    const output = await keyring.run(reEncrypt, input);
    expect(output).toMatchObject({
      SourceKeyId: arnOf(keyId),
      KeyId: arnOf(DestinationKeyId),
      SourceEncryptionAlgorithm: "SYMMETRIC_DEFAULT",
      DestinationEncryptionAlgorithm: "SYMMETRIC_DEFAULT",
      SourceKeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/),
      DestinationKeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(output.SourceKeyMaterialId).not.toBe(output.DestinationKeyMaterialId);
    const again = { CiphertextBlob: output.CiphertextBlob, EncryptionContext: DestinationEncryptionContext };
    expect(await keyring.run(decrypt, again)).toMatchObject({ Plaintext, KeyId: arnOf(DestinationKeyId) });
  });

  it("needs ReEncryptFrom for the source and ReEncryptTo for the destination, each with its context", async () => {
    const { keyId, DestinationKeyId } = await setUp();
    const CiphertextBlob = await ciphertextOf(keyId);
    const DestinationEncryptionContext = { tenant: "b" };
    const input = { CiphertextBlob, DestinationKeyId, SourceEncryptionContext, DestinationEncryptionContext };
    expect(keyring.needs(reEncrypt, input)).toMatchObject([
      { action: "ReEncryptFrom", key: { keyId }, context: SourceEncryptionContext },
      { action: "ReEncryptTo", key: { keyId: DestinationKeyId }, context: DestinationEncryptionContext },
    ]);
  });

  it("a SourceKeyId of another key => IncorrectKeyException", async () => {
    const { keyId, DestinationKeyId } = await setUp();
    const CiphertextBlob = await ciphertextOf(keyId);
    const input = {
      CiphertextBlob,
      DestinationKeyId,
      SourceKeyId: DestinationKeyId,
      SourceEncryptionContext,
    };
    await expect(keyring.run(reEncrypt, input)).rejects.toMatchObject({ type: "IncorrectKeyException" });
  });

  it("another context than the source's => InvalidCiphertextException", async () => {
    const { keyId, DestinationKeyId } = await setUp();
    const CiphertextBlob = await ciphertextOf(keyId);
    const input = { CiphertextBlob, DestinationKeyId, SourceEncryptionContext: {} };
    await expect(keyring.run(reEncrypt, input)).rejects.toMatchObject({ type: "InvalidCiphertextException" });
  });

  it("a disabled destination => DisabledException, which names it", async () => {
    const { keyId, DestinationKeyId } = await setUp({}, { enabled: false });
    const input = { CiphertextBlob: await ciphertextOf(keyId), DestinationKeyId, SourceEncryptionContext };
    await expect(keyring.run(reEncrypt, input)).rejects.toMatchObject({
      type: "DisabledException",
      message: `${arnOf(DestinationKeyId)} is disabled.`,
    });
  });

  it("a destination for MACs => InvalidKeyUsageException", async () => {
    const { keyId } = await keyring.add("orders");
    const mac = await keyring.add("tokens", {}, { keySpec: "HMAC_256" });
    keyring.start();
    const CiphertextBlob = await ciphertextOf(keyId);
    const input = { CiphertextBlob, DestinationKeyId: mac.keyId, SourceEncryptionContext };
    await expect(keyring.run(reEncrypt, input)).rejects.toMatchObject({ type: "InvalidKeyUsageException" });
  });

  it("a dry run that ignores the ciphertext asks for both permissions and no more", async () => {
    const { keyId, DestinationKeyId } = await setUp();
    const dryRun = { DryRun: true, DryRunModifiers: ["IGNORE_CIPHERTEXT"] };
    const input = { DestinationKeyId, SourceKeyId: keyId, ...dryRun };
    expect(keyring.needs(reEncrypt, input)).toHaveLength(2);
    await expect(keyring.run(reEncrypt, input)).rejects.toMatchObject({ type: "DryRunOperationException" });
    const nameless = { DestinationKeyId, ...dryRun };
    await expect(keyring.run(reEncrypt, nameless)).rejects.toMatchObject({ type: "ValidationException" });
  });
});
