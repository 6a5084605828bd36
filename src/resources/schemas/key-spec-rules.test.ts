import { describe, expect, test } from "vitest";
import { rotatesIfItMay, usageFitsKeySpec } from "./key-spec-rules.ts";

describe("the rules of the CRD about keySpec are derived from the table, and read", () => {
  test("keyUsage", () => {
    expect(usageFitsKeySpec.cel).toBe(
      "self.keySpec.startsWith('HMAC_') == (self.keyUsage == 'GENERATE_VERIFY_MAC')",
    );
    expect(usageFitsKeySpec.message).toBe(
      "keyUsage does not fit keySpec: SYMMETRIC_DEFAULT is for ENCRYPT_DECRYPT, HMAC_* for GENERATE_VERIFY_MAC",
    );
  });
  test("rotation", () => {
    expect(rotatesIfItMay.cel).toBe("!has(self.rotation) || self.keySpec == 'SYMMETRIC_DEFAULT'");
    expect(rotatesIfItMay.message).toBe("rotation is for SYMMETRIC_DEFAULT keys only");
  });
});

describe("their twins for standalone mode", () => {
  test.each([
    ["SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", true],
    ["SYMMETRIC_DEFAULT", "GENERATE_VERIFY_MAC", false],
    ["HMAC_256", "GENERATE_VERIFY_MAC", true],
    ["HMAC_256", "ENCRYPT_DECRYPT", false],
    ["RSA_2048", "ENCRYPT_DECRYPT", true],
    ["constructor", "ENCRYPT_DECRYPT", true],
  ])("%s for %s => %s; a keySpec that is none is the enum's affair", (keySpec, keyUsage, holds) => {
    expect(usageFitsKeySpec.holds({ keySpec, keyUsage }, undefined)).toBe(holds);
  });
  test.each([
    ["SYMMETRIC_DEFAULT", { enabled: true }, true],
    ["HMAC_256", { enabled: true }, false],
    ["HMAC_256", undefined, true],
  ])("%s with rotation %j => %s", (keySpec, rotation, holds) => {
    expect(rotatesIfItMay.holds({ keySpec, rotation }, undefined)).toBe(holds);
  });
});
