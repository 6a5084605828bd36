import { expect, it } from "vitest";
import { generateMaterial, KEY_SPECS, KEY_USAGES, materialBytes, usageOf } from "./key-specs.ts";

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
