import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AwsKeyring } from "../../testing/aws-keyring.ts";
import { decrypt } from "./decrypt.ts";
import { generateDataKey, generateDataKeyWithoutPlaintext } from "./generate-data-key.ts";
import { generateRandom } from "./generate-random.ts";

let keyring: AwsKeyring;
let KeyId: string;
beforeEach(async () => {
  keyring = new AwsKeyring();
  KeyId = (await keyring.add("orders")).keyId;
  keyring.start();
});
afterEach(() => keyring.close());

describe("GenerateDataKey", () => {
  it.each([
    [{ KeySpec: "AES_256" }, 32],
    [{ KeySpec: "AES_128" }, 16],
    [{ NumberOfBytes: 1024 }, 1024],
  ])("%j => %d bytes, which Decrypt finds in the ciphertext", async (size, length) => {
    const EncryptionContext = { table: "orders" };
    const output = await keyring.run(generateDataKey, { KeyId, EncryptionContext, ...size });
    expect(output.Plaintext).toHaveLength(length);
    const { CiphertextBlob, KeyMaterialId } = output;
    const opened = await keyring.run(decrypt, { CiphertextBlob, EncryptionContext });
    expect(opened).toMatchObject({ Plaintext: output.Plaintext, KeyMaterialId });
  });

  it.each([{}, { KeySpec: "AES_256", NumberOfBytes: 32 }])("%j => ValidationException", async (size) => {
    await expect(keyring.run(generateDataKey, { KeyId, ...size })).rejects.toMatchObject({
      type: "ValidationException",
      message: "Please specify either number of bytes or key spec.",
    });
  });
});

it("GenerateDataKeyWithoutPlaintext answers a data key that only Decrypt shows", async () => {
  const output = await keyring.run(generateDataKeyWithoutPlaintext, { KeyId, KeySpec: "AES_256" });
  expect(output).not.toHaveProperty("Plaintext");
  const { Plaintext } = await keyring.run(decrypt, { CiphertextBlob: output.CiphertextBlob });
  expect(Plaintext).toHaveLength(32);
  expect(Plaintext).not.toEqual(Buffer.alloc(32));
});

it("GenerateRandom answers as many bytes as were asked for, and needs to be told how many", async () => {
  const { Plaintext } = await keyring.run(generateRandom, { NumberOfBytes: 64 });
  expect(Plaintext).toHaveLength(64);
  await expect(keyring.run(generateRandom, {})).rejects.toMatchObject({ type: "ValidationException" });
});
