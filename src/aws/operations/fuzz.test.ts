import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AwsKeyring } from "../../testing/aws-keyring.ts";
import { AwsError } from "../aws-error.ts";
import { decrypt } from "./decrypt.ts";
import { encrypt } from "./encrypt.ts";

/** `npm run fuzz` tries more than CI has time for. */
const FUZZ_RUNS = Number(process.env.CLAVIGER_TEST_FUZZ_RUNS ?? 5_000);

const Plaintext = Buffer.from("attack at dawn");
const context = { tenant: "a" };

let keyring: AwsKeyring;
let symmetric: Buffer;
let other: Buffer;
let rsa: Buffer;
beforeAll(async () => {
  keyring = new AwsKeyring();
  await keyring.add("orders");
  await keyring.add("invoices");
  await keyring.add("rsa", {}, { keySpec: "RSA_2048", keyUsage: "ENCRYPT_DECRYPT" });
  for (const name of ["orders", "invoices", "rsa"]) keyring.alias(name, name);
  keyring.start();
  const encrypted = async (KeyId: string, rest = {}) =>
    (await keyring.run(encrypt, { KeyId, Plaintext, ...rest })).CiphertextBlob;
  symmetric = await encrypted("alias/orders", { EncryptionContext: context });
  other = await encrypted("alias/invoices");
  rsa = await encrypted("alias/rsa", { EncryptionAlgorithm: "RSAES_OAEP_SHA_256" });
});
afterAll(() => keyring.close());

/** Returns bytes that were a ciphertext: cut, joined with another, and with bytes replaced. */
const damaged = fc
  .record({
    first: fc.constantFrom("symmetric", "other", "rsa"),
    second: fc.constantFrom("symmetric", "other", "rsa"),
    cut: fc.nat(140),
    from: fc.nat(140),
    edits: fc.array(fc.tuple(fc.nat(140), fc.nat(255)), { maxLength: 3 }),
  })
  .map(({ first, second, cut, from, edits }) => {
    const blobs: Readonly<Record<string, Buffer>> = { symmetric, other, rsa };
    const bytes = Buffer.concat([
      blobs[first]?.subarray(0, cut) ?? Buffer.alloc(0),
      blobs[second]?.subarray(from) ?? Buffer.alloc(0),
    ]);
    for (const [at, byte] of edits) if (at < bytes.length) bytes[at] = byte;
    return bytes;
  });

const inputs = fc.record(
  {
    CiphertextBlob: fc.oneof(
      damaged,
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    ),
    KeyId: fc.oneof(
      fc.constantFrom("alias/orders", "alias/invoices", "alias/rsa"),
      fc.string({ unit: "binary" }),
    ),
    EncryptionAlgorithm: fc.constantFrom(
      "SYMMETRIC_DEFAULT",
      "RSAES_OAEP_SHA_1",
      "RSAES_OAEP_SHA_256",
      "SM2PKE",
    ),
    EncryptionContext: fc.oneof(
      fc.constant(context),
      fc.dictionary(fc.string({ unit: "binary" }), fc.string()),
    ),
  },
  { requiredKeys: ["CiphertextBlob"] },
);

/** The errors of a request that nobody but its author is to blame for. */
const REFUSALS = new Set([
  "IncorrectKeyException",
  "InvalidArnException",
  "InvalidCiphertextException",
  "InvalidKeyUsageException",
  "NotFoundException",
  "ValidationException",
]);

test("whatever a ciphertext is => a refusal that shows nothing of it, or what was encrypted", async () => {
  const property = fc.asyncProperty(inputs, async (input) => {
    const intact = [symmetric, other, rsa].some((blob) => blob.equals(input.CiphertextBlob));
    try {
      expect((await keyring.run(decrypt, input)).Plaintext).toEqual(Plaintext);
      expect(intact).toBe(true);
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      expect(REFUSALS).toContain(error.type);
      expect(error.message).toMatch(/^\P{Cc}+$/u);
      expect(error.message).not.toContain("attack");
    }
  });
  await fc.assert(property, { numRuns: FUZZ_RUNS });
});
