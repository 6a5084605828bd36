import { expect, it } from "vitest";
import {
  generateMaterial,
  KEY_SPECS,
  KEY_USAGES,
  type KeySpec,
  keySpecs,
  materialBytes,
  mayRotate,
  usageOf,
} from "./key-specs.ts";

// AWS KMS developer guide, "Key spec reference": an HMAC key is as long as the output of its hash.
it.each([
  ["SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", 32],
  ["HMAC_224", "GENERATE_VERIFY_MAC", 28],
  ["HMAC_256", "GENERATE_VERIFY_MAC", 32],
  ["HMAC_384", "GENERATE_VERIFY_MAC", 48],
  ["HMAC_512", "GENERATE_VERIFY_MAC", 64],
] as const)("%s is for %s and has %i bytes of material", (spec, usage, size) => {
  expect(usageOf(spec)).toBe(usage);
  expect(materialBytes(spec)).toBe(size);
});

it.each(KEY_SPECS)("%s has a usage, and its material is new each time", (spec) => {
  expect(KEY_USAGES).toContain(usageOf(spec));
  using first = generateMaterial(spec);
  using second = generateMaterial(spec);
  expect(first.size).toBe(materialBytes(spec));
  expect(first.exposeSecretBytes()).not.toEqual(second.exposeSecretBytes());
});

it("claviger has keys of these specs, in the order of the CRD", () => {
  expect(KEY_SPECS).toEqual(["SYMMETRIC_DEFAULT", "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512"]);
  expect(KEY_USAGES).toEqual(["ENCRYPT_DECRYPT", "GENERATE_VERIFY_MAC"]);
});

it.each(KEY_SPECS)("%s has one usage alone: `usageOf` and the CRD's rule rely on it", (spec) => {
  expect(Object.keys(keySpecs[spec].algorithms)).toHaveLength(1);
});

// The same guide, "Key spec reference", row by row.
it.each([
  ["RSA_2048", "ENCRYPT_DECRYPT SIGN_VERIFY"],
  ["RSA_3072", "ENCRYPT_DECRYPT SIGN_VERIFY"],
  ["RSA_4096", "ENCRYPT_DECRYPT SIGN_VERIFY"],
  ["ECC_NIST_P256", "SIGN_VERIFY KEY_AGREEMENT"],
  ["ECC_NIST_P384", "SIGN_VERIFY KEY_AGREEMENT"],
  ["ECC_NIST_P521", "SIGN_VERIFY KEY_AGREEMENT"],
  ["ECC_SECG_P256K1", "SIGN_VERIFY"],
  ["ECC_NIST_EDWARDS25519", "SIGN_VERIFY"],
  ["ML_DSA_44", "SIGN_VERIFY"],
  ["ML_DSA_65", "SIGN_VERIFY"],
  ["ML_DSA_87", "SIGN_VERIFY"],
  ["ML_KEM_512", "ENCAPSULATE_DECAPSULATE"],
  ["ML_KEM_768", "ENCAPSULATE_DECAPSULATE"],
  ["ML_KEM_1024", "ENCAPSULATE_DECAPSULATE"],
  ["SM2", "ENCRYPT_DECRYPT SIGN_VERIFY KEY_AGREEMENT"],
] as const)("%s, for %s, has a row and is not served", (spec, usages) => {
  expect(keySpecs[spec].served).toBe(false);
  expect(Object.keys(keySpecs[spec].algorithms).join(" ")).toBe(usages);
});

it("a name that every object has is no key spec", () => {
  expect(Object.getPrototypeOf(keySpecs)).toBeNull();
  expect("constructor" in keySpecs).toBe(false);
});

it.each(["FOO_1", "RSA_2048"])(
  "%s of a newer release's CRD => it does not rotate, and nothing is made of it",
  (spec) => {
    expect(mayRotate(spec as KeySpec)).toBe(false);
    const refused = expect.objectContaining({
      code: "InvalidArgument",
      message: expect.stringContaining(spec),
    });
    for (const use of [materialBytes, generateMaterial, usageOf])
      expect(() => use(spec as KeySpec)).toThrow(refused);
  },
);
