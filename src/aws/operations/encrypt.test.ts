import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseMessage } from "../../crypto/message.ts";
import { AwsKeyring, SITE } from "../../testing/aws-keyring.ts";
import { encrypt } from "./encrypt.ts";

const Plaintext = Buffer.from("attack at dawn");
const arnOf = ({ keyId }: { readonly keyId: string }) => `arn:aws:kms:us-local-1:000000000000:key/${keyId}`;
const refusal = (type: string, message: string) => ({ type, message });

let keyring: AwsKeyring;
beforeEach(() => {
  keyring = new AwsKeyring();
});
afterEach(() => keyring.close());

describe("Encrypt", () => {
  it("names the key by its ARN, and the ciphertext names the key", async () => {
    const key = await keyring.add("orders");
    keyring.start();
    const output = await keyring.run(encrypt, { KeyId: key.keyId, Plaintext });
    expect(output).toMatchObject({ KeyId: arnOf(key), EncryptionAlgorithm: "SYMMETRIC_DEFAULT" });
    expect(parseMessage(output.CiphertextBlob).keyId).toBe(key.keyId);
  });

  it.each([
    ["its id", (keyId: string) => keyId],
    ["its ARN", (keyId: string) => arnOf({ keyId })],
    ["an alias of the caller's namespace", () => "alias/main"],
    ["an alias with its namespace", () => "alias/apps/main"],
    ["an alias's ARN", () => "arn:aws:kms:us-local-1:000000000000:alias/apps/main"],
  ])("finds a key by %s", async (_, nameOf) => {
    const key = await keyring.add("orders");
    keyring.alias("main", "orders");
    keyring.start();
    const output = await keyring.run(encrypt, { KeyId: nameOf(key.keyId), Plaintext });
    expect(output.KeyId).toBe(arnOf(key));
  });

  it.each([
    [
      "11111111-2222-4333-8444-555555555555",
      "NotFoundException",
      "Key 'arn:aws:kms:us-local-1:000000000000:key/11111111-2222-4333-8444-555555555555' does not exist",
    ],
    [
      "alias/other",
      "NotFoundException",
      "Alias arn:aws:kms:us-local-1:000000000000:alias/apps/other is not found.",
    ],
    ["orders", "NotFoundException", "Invalid keyId 'orders'"],
    ["\u001b[2Jorders", "NotFoundException", "Invalid keyId '\\u001b[2Jorders'"],
    [
      "arn:aws:kms:us-local-1:000000000000:key/alias/main",
      "NotFoundException",
      "Invalid keyId 'arn:aws:kms:us-local-1:000000000000:key/alias/main'",
    ],
    [
      "arn:aws:kms:us-local-1:000000000000:key/alias/apps/main",
      "NotFoundException",
      "Invalid keyId 'arn:aws:kms:us-local-1:000000000000:key/alias/apps/main'",
    ],
    ["arn:aws:s3:::bucket/x", "InvalidArnException", "Invalid arn arn:aws:s3:::bucket/x"],
    [
      "arn:aws:kms:eu-west-1:000000000000:key/11111111-2222-4333-8444-555555555555",
      "NotFoundException",
      "Invalid arn arn:aws:kms:eu-west-1:000000000000:key/11111111-2222-4333-8444-555555555555: this endpoint serves account 000000000000 in us-local-1",
    ],
  ])("a KeyId %j => %s", async (KeyId, type, message) => {
    await keyring.add("orders");
    keyring.alias("main", "orders");
    keyring.start();
    await expect(keyring.run(encrypt, { KeyId, Plaintext })).rejects.toMatchObject(refusal(type, message));
  });

  it.each([
    ["a disabled key", { enabled: false }, "DisabledException", "is disabled."],
    [
      "a key that is pending deletion",
      { enabled: false, deletionDate: "2027-01-01T00:00:00Z" },
      "KMSInvalidStateException",
      "is pending deletion.",
    ],
  ])("%s => %s", async (_, row, type, text) => {
    const key = await keyring.add("orders", row);
    keyring.start();
    await expect(keyring.run(encrypt, { KeyId: key.keyId, Plaintext })).rejects.toMatchObject(
      refusal(type, `${arnOf(key)} ${text}`),
    );
  });

  it("expired imported material => KMSInvalidStateException: the key is pending import", async () => {
    const key = await keyring.add("orders", {}, { origin: "EXTERNAL", validTo: 1 });
    keyring.start();
    await expect(keyring.run(encrypt, { KeyId: key.keyId, Plaintext })).rejects.toMatchObject(
      refusal("KMSInvalidStateException", `${arnOf(key)} is pending import.`),
    );
  });

  it("a key for MACs => InvalidKeyUsageException", async () => {
    const key = await keyring.add("orders", {}, { keySpec: "HMAC_256" });
    keyring.start();
    await expect(keyring.run(encrypt, { KeyId: key.keyId, Plaintext })).rejects.toMatchObject({
      type: "InvalidKeyUsageException",
    });
  });

  it("an algorithm of other keys => InvalidKeyUsageException", async () => {
    const { keyId: KeyId } = await keyring.add("orders");
    keyring.start();
    const input = { KeyId, Plaintext, EncryptionAlgorithm: "RSAES_OAEP_SHA_256" };
    await expect(keyring.run(encrypt, input)).rejects.toMatchObject({ type: "InvalidKeyUsageException" });
  });

  it("the permission that it needs has the key and the context", async () => {
    const key = await keyring.add("orders");
    keyring.start();
    const context = { tenant: "a" };
    const request = {
      id: "r",
      caller: { arn: "", user: "alice", groups: [], namespace: "apps" },
      input: { KeyId: key.keyId, Plaintext, EncryptionContext: context },
      now: 0,
    };
    expect(encrypt.needs(request, keyring.keys)).toEqual([
      { action: "Encrypt", key: expect.objectContaining({ keyId: key.keyId }), context },
    ]);
    expect(keyring.keys.site).toEqual(SITE);
  });
});
