import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encryptMessage } from "../../crypto/message.ts";
import { AwsKeyring } from "../../testing/aws-keyring.ts";
import { decrypt } from "./decrypt.ts";
import { encrypt } from "./encrypt.ts";
import { scopeOf } from "./symmetric.ts";

const Plaintext = Buffer.from("attack at dawn");
const arnOf = (keyId: string) => `arn:aws:kms:us-local-1:000000000000:key/${keyId}`;
const invalid = { type: "InvalidCiphertextException" };

let keyring: AwsKeyring;
beforeEach(() => {
  keyring = new AwsKeyring();
});
afterEach(() => keyring.close());

/** Returns a ciphertext of a key, made by the API. */
async function ciphertextOf(KeyId: string, EncryptionContext = {}): Promise<Buffer> {
  const { CiphertextBlob } = await keyring.run(encrypt, { KeyId, Plaintext, EncryptionContext });
  return CiphertextBlob;
}

describe("Decrypt", () => {
  it("a ciphertext tells its key: no KeyId is needed, and the answer names key and material", async () => {
    const { keyId } = await keyring.add("orders");
    keyring.start();
    const CiphertextBlob = await ciphertextOf(keyId);
    expect(await keyring.run(decrypt, { CiphertextBlob })).toEqual({
      KeyId: arnOf(keyId),
      Plaintext,
      EncryptionAlgorithm: "SYMMETRIC_DEFAULT",
      KeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it("ciphertexts of all versions decrypt, each with its own material", async () => {
    const key = keyring.addKey("orders");
    const versions = [1, 2, 3, 4].map((number) => keyring.addVersion(key, { number }));
    const rows = await Promise.all(versions);
    keyring.start();
    const outputs = rows.map(async (row) => {
      const CiphertextBlob = encryptMessage(await scopeOf(row, {}, keyring.keys), Plaintext);
      return keyring.run(decrypt, { CiphertextBlob, KeyId: key.keyId });
    });
    const answers = await Promise.all(outputs);
    expect(answers.map((answer) => Buffer.from(answer.Plaintext))).toEqual(rows.map(() => Plaintext));
    expect(new Set(answers.map((answer) => answer.KeyMaterialId)).size).toBe(rows.length);
  });

  it("a KeyId of another key => IncorrectKeyException", async () => {
    const { keyId } = await keyring.add("orders");
    const other = await keyring.add("invoices");
    keyring.start();
    const CiphertextBlob = await ciphertextOf(keyId);
    await expect(keyring.run(decrypt, { CiphertextBlob, KeyId: other.keyId })).rejects.toMatchObject({
      type: "IncorrectKeyException",
    });
  });

  it("any flipped bit => InvalidCiphertextException, with a KeyId and without", async () => {
    const { keyId } = await keyring.add("orders");
    keyring.start();
    const blob = await ciphertextOf(keyId, { tenant: "a" });
    const outcomes = new Map<string, number>();
    for (let bit = 0; bit < blob.length * 8; bit++) {
      const CiphertextBlob = Buffer.from(blob);
      CiphertextBlob[bit >> 3] = (blob[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const input = {
        CiphertextBlob,
        EncryptionContext: { tenant: "a" },
        ...(bit % 2 === 0 && { KeyId: keyId }),
      };
      const outcome = await keyring.run(decrypt, input).then(
        () => "decrypted",
        (error: { readonly type: string }) => error.type,
      );
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    expect(outcomes).toEqual(new Map([[invalid.type, blob.length * 8]]));
  });

  it.each([
    ["empty", 0],
    ["a header alone", 98],
    ["one byte short", 113],
  ])("a ciphertext that is %s => InvalidCiphertextException", async (_, length) => {
    const { keyId } = await keyring.add("orders");
    keyring.start();
    const CiphertextBlob = (await ciphertextOf(keyId)).subarray(0, length);
    await expect(keyring.run(decrypt, { CiphertextBlob })).rejects.toMatchObject(invalid);
  });

  it("the pairs of the context may come in any order; any other change => InvalidCiphertextException", async () => {
    const { keyId } = await keyring.add("orders");
    keyring.start();
    const text = fc.string({ unit: "grapheme", maxLength: 8 });
    const pairs = fc.uniqueArray(
      fc.tuple(
        text.filter((name) => name !== "__proto__"),
        text,
      ),
      {
        minLength: 1,
        maxLength: 4,
        selector: ([name]) => name,
      },
    );
    const property = fc.asyncProperty(pairs, pairs, async (right, wrong) => {
      const CiphertextBlob = await ciphertextOf(keyId, Object.fromEntries(right));
      const decrypted = (context: readonly (readonly [string, string])[]) =>
        keyring.run(decrypt, { CiphertextBlob, EncryptionContext: Object.fromEntries(context) });
      expect((await decrypted(right.toReversed())).Plaintext).toEqual(Plaintext);
      const isSame = JSON.stringify(right.toSorted()) === JSON.stringify(wrong.toSorted());
      if (!isSame) await expect(decrypted(wrong)).rejects.toMatchObject(invalid);
      await expect(decrypted(right.slice(1))).rejects.toMatchObject(invalid);
      await expect(decrypted([...right, ["one more", ""]])).rejects.toMatchObject(invalid);
      const [[name, value] = ["", ""], ...others] = right;
      await expect(decrypted([[name, `${value} `], ...others])).rejects.toMatchObject(invalid);
    });
    await fc.assert(property, { numRuns: 200 });
  });

  it("what the API server has encrypted does not decrypt here", async () => {
    const key = keyring.addKey("orders");
    const version = await keyring.addVersion(key);
    keyring.start();
    const scope = { ...(await scopeOf(version, {}, keyring.keys)), purpose: "kms-v2" } as const;
    const CiphertextBlob = encryptMessage(scope, Plaintext);
    await expect(keyring.run(decrypt, { CiphertextBlob })).rejects.toMatchObject(invalid);
  });

  it("a MasterKey that claims the keyId of another key => the permission is needed for the key's own MasterKey", async () => {
    const key = keyring.addKey("orders");
    const version = await keyring.addVersion(key);
    keyring.addKey("thief", { keyId: key.keyId });
    keyring.start();
    const CiphertextBlob = encryptMessage(await scopeOf(version, {}, keyring.keys), Plaintext);
    expect(keyring.needs(decrypt, { CiphertextBlob })).toMatchObject([{ key: { name: "orders" } }]);
  });

  it("a ciphertext of a destroyed version => NotFoundException", async () => {
    const key = keyring.addKey("orders");
    const version = await keyring.addVersion(key, { number: 1 });
    await keyring.addVersion(key, { number: 2 });
    const scope = await scopeOf(version, {}, keyring.keys);
    const CiphertextBlob = encryptMessage(scope, Plaintext);
    keyring.destroy(version);
    keyring.start();
    await expect(keyring.run(decrypt, { CiphertextBlob })).rejects.toMatchObject({
      type: "NotFoundException",
      message: "version 1 of MasterKey apps/orders was destroyed on 2026-11-30T12:00:00Z: no longer needed",
    });
  });

  it("an algorithm of asymmetric keys without a KeyId => ValidationException", async () => {
    const { keyId } = await keyring.add("orders");
    keyring.start();
    const input = { CiphertextBlob: await ciphertextOf(keyId), EncryptionAlgorithm: "RSAES_OAEP_SHA_256" };
    await expect(keyring.run(decrypt, input)).rejects.toMatchObject({ type: "ValidationException" });
    await expect(keyring.run(decrypt, { ...input, KeyId: keyId })).rejects.toMatchObject({
      type: "InvalidKeyUsageException",
    });
  });

  it("the permission is needed for the key that is named, or else for the key of the ciphertext", async () => {
    const { keyId } = await keyring.add("orders");
    const other = await keyring.add("invoices");
    keyring.start();
    const CiphertextBlob = await ciphertextOf(keyId);
    const EncryptionContext = { tenant: "a" };
    const needs = (KeyId?: string) =>
      keyring.needs(decrypt, { CiphertextBlob, EncryptionContext, ...(KeyId !== undefined && { KeyId }) });
    const need = (key: string) => ({
      action: "Decrypt",
      key: expect.objectContaining({ keyId: key }),
      context: EncryptionContext,
    });
    expect(needs()).toEqual([need(keyId)]);
    expect(needs(other.keyId)).toEqual([need(other.keyId)]);
  });
});

describe("Decrypt, as a dry run", () => {
  it("an altered ciphertext fails as it would", async () => {
    const { keyId } = await keyring.add("orders");
    keyring.start();
    const CiphertextBlob = await ciphertextOf(keyId);
    CiphertextBlob[100] = (CiphertextBlob[100] ?? 0) ^ 1;
    await expect(keyring.run(decrypt, { CiphertextBlob, DryRun: true })).rejects.toMatchObject(invalid);
  });

  it("IGNORE_CIPHERTEXT => the permission alone is asked for, whatever the ciphertext and the state are", async () => {
    const { keyId } = await keyring.add("orders", { enabled: false });
    keyring.start();
    const input = { KeyId: keyId, DryRun: true, DryRunModifiers: ["IGNORE_CIPHERTEXT"] };
    expect(keyring.needs(decrypt, input)).toMatchObject([{ action: "Decrypt", key: { keyId } }]);
    const run = keyring.run(decrypt, { ...input, CiphertextBlob: Buffer.from("x") });
    await expect(run).rejects.toMatchObject({ type: "DryRunOperationException" });
  });

  it.each([
    ["IGNORE_CIPHERTEXT without a KeyId", { DryRun: true, DryRunModifiers: ["IGNORE_CIPHERTEXT"] }],
    ["IGNORE_CIPHERTEXT without a dry run", { DryRun: false, DryRunModifiers: ["IGNORE_CIPHERTEXT"] }],
    ["no ciphertext", { DryRun: true }],
  ])("%s => ValidationException", async (_, input) => {
    await keyring.add("orders");
    keyring.start();
    await expect(keyring.run(decrypt, input)).rejects.toMatchObject({ type: "ValidationException" });
  });
});
