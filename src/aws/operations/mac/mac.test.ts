import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AwsKeyring } from "../../../testing/aws-keyring.ts";
import { generateMac } from "./generate-mac.ts";
import { verifyMac } from "./verify-mac.ts";

const Message = Buffer.from("attack at dawn");
const arnOf = (keyId: string) => `arn:aws:kms:us-local-1:000000000000:key/${keyId}`;

let keyring: AwsKeyring;
beforeEach(() => {
  keyring = new AwsKeyring();
});
afterEach(() => keyring.close());

describe("GenerateMac and VerifyMac", () => {
  it.each([
    ["HMAC_224", "HMAC_SHA_224", 28],
    ["HMAC_256", "HMAC_SHA_256", 32],
    ["HMAC_384", "HMAC_SHA_384", 48],
    ["HMAC_512", "HMAC_SHA_512", 64],
  ] as const)("a key of spec %s makes MACs with %s that verify", async (keySpec, MacAlgorithm, length) => {
    const { keyId: KeyId } = await keyring.add("tokens", {}, { keySpec });
    keyring.start();
    const { Mac, ...rest } = await keyring.run(generateMac, { KeyId, Message, MacAlgorithm });
    expect(Mac).toHaveLength(length);
    expect(rest).toEqual({ KeyId: arnOf(KeyId), MacAlgorithm });
    expect(await keyring.run(verifyMac, { KeyId, Message, MacAlgorithm, Mac })).toEqual({
      KeyId: arnOf(KeyId),
      MacValid: true,
      MacAlgorithm,
    });
  });

  it.each([
    ["another message", (mac: Buffer) => ({ Mac: mac, Message: Buffer.from("attack at dusk") })],
    ["a shortened MAC", (mac: Buffer) => ({ Mac: mac.subarray(0, 16) })],
    [
      "an altered MAC",
      (mac: Buffer) => ({ Mac: Buffer.from(mac.map((byte, at) => (at === 0 ? byte ^ 1 : byte))) }),
    ],
    ["an altered MAC, as a dry run", (mac: Buffer) => ({ Mac: mac.subarray(1), DryRun: true })],
  ])("%s => KMSInvalidMacException", async (_, changed) => {
    const { keyId: KeyId } = await keyring.add("tokens", {}, { keySpec: "HMAC_256" });
    keyring.start();
    const input = { KeyId, Message, MacAlgorithm: "HMAC_SHA_256" };
    const { Mac } = await keyring.run(generateMac, input);
    await expect(keyring.run(verifyMac, { ...input, ...changed(Mac) })).rejects.toMatchObject({
      type: "KMSInvalidMacException",
    });
  });

  it.each([
    ["the algorithm of another key spec", "HMAC_256", "HMAC_SHA_512"],
    ["a key that encrypts", "SYMMETRIC_DEFAULT", "HMAC_SHA_256"],
  ] as const)("%s => InvalidKeyUsageException", async (_, keySpec, MacAlgorithm) => {
    const { keyId: KeyId } = await keyring.add("tokens", {}, { keySpec });
    keyring.start();
    const input = { KeyId, Message, MacAlgorithm };
    const refusal = { type: "InvalidKeyUsageException" };
    await expect(keyring.run(generateMac, input)).rejects.toMatchObject(refusal);
    await expect(keyring.run(verifyMac, { ...input, Mac: Buffer.alloc(32) })).rejects.toMatchObject(refusal);
  });

  it("each needs the permission of its own name", async () => {
    const { keyId } = await keyring.add("tokens", {}, { keySpec: "HMAC_256" });
    keyring.start();
    const input = { KeyId: keyId, Message, MacAlgorithm: "HMAC_SHA_256" };
    expect(keyring.needs(generateMac, input)).toMatchObject([{ action: "GenerateMac", key: { keyId } }]);
    expect(keyring.needs(verifyMac, { ...input, Mac: Buffer.alloc(32) })).toMatchObject([
      { action: "VerifyMac", key: { keyId } },
    ]);
  });
});
