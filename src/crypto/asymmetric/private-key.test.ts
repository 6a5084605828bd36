import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { privateKeyFor } from "../../testing/materials.ts";
import { Secret } from "../secret.ts";
import { generateKeyPair } from "./generate.ts";
import { ASYMMETRIC_SPECS, type AsymmetricSpec } from "./key-types.ts";
import { privateKeyOf, publicKeyDer, publicKeyOf } from "./private-key.ts";

test.each(ASYMMETRIC_SPECS.filter((spec) => !/RSA_[34]/.test(spec)))(
  "a new pair of %s => its halves belong together, and no other spec takes it",
  async (spec) => {
    const { publicKey, privateKey } = await generateKeyPair(spec);
    expect(publicKeyDer(spec, privateKey)).toEqual(publicKey);
    for (const other of ASYMMETRIC_SPECS.filter((one) => one !== spec))
      expect(() => publicKeyDer(other, privateKey)).toThrow(
        expect.objectContaining({
          code: "InvalidArgument",
          message: `the material is no private key of spec ${other}`,
        }),
      );
    privateKey.wipe();
  },
);

test.each<readonly [AsymmetricSpec, number]>([
  ["ML_DSA_44", 54],
  ["ML_DSA_87", 54],
  ["ML_KEM_512", 86],
  ["ML_KEM_1024", 86],
])("%s is kept in seed form: %i bytes", async (spec, size) => {
  using material = await privateKeyFor(spec);
  expect(material.size).toBe(size);
});

test("a key is parsed once, and its public half is derived once", async () => {
  using material = await privateKeyFor("RSA_4096");
  expect(privateKeyOf("RSA_4096", material)).toBe(privateKeyOf("RSA_4096", material));
  expect(publicKeyOf("RSA_4096", material)).toBe(publicKeyOf("RSA_4096", material));
});

test("a wiped key is not used, even if it was parsed before", async () => {
  const material = await privateKeyFor("ECC_NIST_P256");
  privateKeyOf("ECC_NIST_P256", material);
  material.wipe();
  expect(() => privateKeyOf("ECC_NIST_P256", material)).toThrow("a wiped secret was used");
});

test("an RSA key of another exponent is no key of AWS KMS's", () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048, publicExponent: 3 });
  using material = Secret.take(privateKey.export({ type: "pkcs8", format: "der" }));
  expect(() => privateKeyOf("RSA_2048", material)).toThrow("no private key of spec RSA_2048");
});

test("pairs of RSA that are asked for at once => each is another pair", async () => {
  const pairs = await Promise.all([generateKeyPair("RSA_2048"), generateKeyPair("RSA_2048")]);
  const [first, second] = pairs.map(({ publicKey }) => publicKey.toString("hex"));
  expect(first).not.toBe(second);
  const der = { key: pairs[0].publicKey, format: "der", type: "spki" } as const;
  expect(createPublicKey(der).asymmetricKeyDetails?.modulusLength).toBe(2048);
});
