import { expect, it } from "vitest";
import { materialFor, usageFor } from "../testing/materials.ts";
import { isAsymmetric } from "./asymmetric/key-types.ts";
import {
  algorithmsOf,
  generateMaterial,
  isSlowToGenerate,
  KEY_SPECS,
  KEY_USAGES,
  type KeySpec,
  type KeyUsage,
  keySpecs,
  materialSize,
  mayHaveUsage,
  mayRotate,
  usagesOf,
} from "./key-specs.ts";

// AWS KMS developer guide, "Key spec reference": an HMAC key is as long as the output of its hash.
it.each([
  ["SYMMETRIC_DEFAULT", 32],
  ["HMAC_224", 28],
  ["HMAC_256", 32],
  ["HMAC_384", 48],
  ["HMAC_512", 64],
] as const)("%s has %i bytes of material", (spec, size) => {
  expect(materialSize(spec)).toEqual({ least: size, most: size });
});

// The same guide, row by row.
it.each([
  ["SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"],
  ["HMAC_224", "GENERATE_VERIFY_MAC"],
  ["HMAC_256", "GENERATE_VERIFY_MAC"],
  ["HMAC_384", "GENERATE_VERIFY_MAC"],
  ["HMAC_512", "GENERATE_VERIFY_MAC"],
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
] as const)("%s is for %s, and each usage has algorithms", (spec, usages) => {
  expect(usagesOf(spec).join(" ")).toBe(usages);
  for (const usage of KEY_USAGES) {
    expect(mayHaveUsage(spec, usage)).toBe(usages.split(" ").includes(usage));
    expect(algorithmsOf(spec, usage).length > 0).toBe(mayHaveUsage(spec, usage));
  }
});

it("claviger has keys of all of AWS KMS's specs but SM2, in the order of the CRD", () => {
  expect(KEY_SPECS).toEqual(Object.keys(keySpecs).filter((spec) => spec !== "SM2"));
  expect(KEY_USAGES).toEqual([
    ...["ENCRYPT_DECRYPT", "GENERATE_VERIFY_MAC", "SIGN_VERIFY", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"],
  ]);
});

it.each(KEY_SPECS.filter((spec) => spec !== "RSA_3072" && spec !== "RSA_4096"))(
  "material for %s is new each time, and as long as it must be",
  async (spec) => {
    using first = await generateMaterial(spec);
    using second = await generateMaterial(spec);
    const { least, most } = materialSize(spec);
    expect(first.size).toBeGreaterThanOrEqual(least);
    expect(first.size).toBeLessThanOrEqual(most);
    expect(first.exposeSecretBytes()).not.toEqual(second.exposeSecretBytes());
  },
);

it.each(["RSA_3072", "RSA_4096"] as const)(
  "a key of %s that other software made is as long as ours",
  async (spec) => {
    using material = await materialFor(spec);
    const { least, most } = materialSize(spec);
    expect(material.size).toBeGreaterThanOrEqual(least);
    expect(material.size).toBeLessThanOrEqual(most);
  },
);

it("only RSA keys are so slow to generate that nothing must wait for them", () => {
  expect(KEY_SPECS.filter(isSlowToGenerate)).toEqual(["RSA_2048", "RSA_3072", "RSA_4096"]);
});

it("only symmetric keys for encryption rotate, as in AWS KMS", () => {
  expect(KEY_SPECS.filter(mayRotate)).toEqual(["SYMMETRIC_DEFAULT"]);
  expect(KEY_SPECS.filter(isAsymmetric)).toHaveLength(14);
});

it("a name that every object has is no key spec", () => {
  expect(Object.getPrototypeOf(keySpecs)).toBeNull();
  expect("constructor" in keySpecs).toBe(false);
});

it.each(["FOO_1", "SM2"] as string[] as KeySpec[])(
  "%s of a newer release's CRD => it does not rotate, and nothing is made of it",
  async (spec) => {
    expect(mayRotate(spec)).toBe(false);
    expect(mayHaveUsage(spec, "SIGN_VERIFY")).toBe(false);
    const refused = expect.objectContaining({
      code: "InvalidArgument",
      message: expect.stringContaining(spec),
    });
    for (const use of [materialSize, usagesOf, usageFor, (one: KeySpec) => algorithmsOf(one, "SIGN_VERIFY")])
      expect(() => use(spec)).toThrow(refused);
    await expect(generateMaterial(spec)).rejects.toThrow(refused);
  },
);

it("a usage that claviger does not know fits no spec", () => {
  for (const spec of KEY_SPECS) expect(algorithmsOf(spec, "constructor" as KeyUsage)).toEqual([]);
});
