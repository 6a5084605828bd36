import { describe, expect, test } from "vitest";
import { rotatesIfItMay, usageFitsKeySpec } from "./key-spec-rules.ts";

describe("the rules of the CRD about keySpec are derived from the table, and read", () => {
  test("keyUsage", () => {
    expect(usageFitsKeySpec.cel).toBe(
      [
        "(self.keyUsage != 'ENCRYPT_DECRYPT' || self.keySpec == 'SYMMETRIC_DEFAULT' || self.keySpec.startsWith('RSA_'))",
        "(self.keyUsage != 'GENERATE_VERIFY_MAC' || self.keySpec.startsWith('HMAC_'))",
        "(self.keyUsage != 'SIGN_VERIFY' || self.keySpec.startsWith('RSA_') || self.keySpec.startsWith('ECC_') || self.keySpec.startsWith('ML_DSA_'))",
        "(self.keyUsage != 'KEY_AGREEMENT' || self.keySpec.startsWith('ECC_NIST_P'))",
        "(self.keyUsage != 'ENCAPSULATE_DECAPSULATE' || self.keySpec.startsWith('ML_KEM_'))",
      ].join(" && "),
    );
    expect(usageFitsKeySpec.message).toBe(
      "keyUsage does not fit keySpec: ENCRYPT_DECRYPT is for SYMMETRIC_DEFAULT and RSA_*, GENERATE_VERIFY_MAC for HMAC_*, SIGN_VERIFY for RSA_*, ECC_* and ML_DSA_*, KEY_AGREEMENT for ECC_NIST_P*, ENCAPSULATE_DECAPSULATE for ML_KEM_*",
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
    ["RSA_2048", "SIGN_VERIFY", true],
    ["RSA_2048", "KEY_AGREEMENT", false],
    ["ECC_NIST_P521", "KEY_AGREEMENT", true],
    ["ECC_NIST_P521", "SIGN_VERIFY", true],
    ["ECC_NIST_EDWARDS25519", "KEY_AGREEMENT", false],
    ["ECC_SECG_P256K1", "KEY_AGREEMENT", false],
    ["ML_DSA_44", "SIGN_VERIFY", true],
    ["ML_KEM_768", "ENCAPSULATE_DECAPSULATE", true],
    ["ML_KEM_768", "SIGN_VERIFY", false],
    ["SM2", "ENCRYPT_DECRYPT", true],
    ["constructor", "ENCRYPT_DECRYPT", true],
  ])("%s for %s => %s; a keySpec that is none is the enum's affair", (keySpec, keyUsage, holds) => {
    expect(usageFitsKeySpec.holds({ keySpec, keyUsage }, undefined)).toBe(holds);
  });
  test.each([
    ["SYMMETRIC_DEFAULT", { enabled: true }, true],
    ["HMAC_256", { enabled: true }, false],
    ["RSA_2048", { enabled: true }, false],
    ["ML_KEM_768", { enabled: false }, false],
    ["HMAC_256", undefined, true],
  ])("%s with rotation %j => %s", (keySpec, rotation, holds) => {
    expect(rotatesIfItMay.holds({ keySpec, rotation }, undefined)).toBe(holds);
  });
});
