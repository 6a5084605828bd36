import { createPrivateKey, createSecretKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { describe, expect, it, vi } from "vitest";
import { keyTypes } from "../crypto/asymmetric/key-types.ts";
import { newKeyId, newVersionId } from "../crypto/ids.ts";
import { KEY_SPECS, type KeySpec, type KeyUsage, usagesOf } from "../crypto/key-specs.ts";
import { Secret } from "../crypto/secret.ts";
import { materialFor } from "../testing/materials.ts";
import { selfTest } from "./self-test.ts";

const version = { keyId: newKeyId(), versionId: newVersionId(), number: 1 };
const failure = expect.objectContaining({
  code: "SealMismatch",
  message: `version 1 of key ${version.keyId} failed its self-test`,
});
const all = KEY_SPECS.flatMap((spec) => usagesOf(spec).map((usage): [KeySpec, KeyUsage] => [spec, usage]));

it.each(all)("a version with new material for %s and %s passes", async (keySpec, keyUsage) => {
  using material = await materialFor(keySpec);
  expect(() => selfTest({ ...version, keySpec, keyUsage }, material)).not.toThrow();
});

it.each(all)("a version whose material for %s and %s is gone does not pass", async (keySpec, keyUsage) => {
  const material = await materialFor(keySpec);
  material.wipe();
  expect(() => selfTest({ ...version, keySpec, keyUsage }, material)).toThrow("a wiped secret was used");
});

it("a version whose Encrypt no Decrypt opens => SealMismatch naming it", () => {
  using material = Secret.random(32);
  // The first use of the material is the Encrypt.
  vi.spyOn(material, "exposeSecretKey").mockReturnValueOnce(createSecretKey(randomBytes(32)));
  const symmetric = { keySpec: "SYMMETRIC_DEFAULT", keyUsage: "ENCRYPT_DECRYPT" } as const;
  expect(() => selfTest({ ...version, ...symmetric }, material)).toThrow(failure);
});

describe("a private key", () => {
  const asymmetric = all.filter(([spec]) => spec in keyTypes);

  it.each(asymmetric)("that is random bytes => %s for %s fails", (keySpec, keyUsage) => {
    using material = Secret.random(100);
    expect(() => selfTest({ ...version, keySpec, keyUsage }, material)).toThrow(failure);
  });

  it.each(["SIGN_VERIFY", "KEY_AGREEMENT"] as const)(
    "of a curve whose public half is another key's => fails for %s",
    (keyUsage) => {
      const newKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
      const [der, other] = [newKey(), newKey()].map((key) => key.export({ type: "pkcs8", format: "der" }));
      if (der === undefined || other === undefined) throw new Error("no keys");
      // The point is at the end of the structure.
      const torn = Buffer.concat([der.subarray(0, -64), other.subarray(-64)]);
      expect(createPrivateKey({ key: torn, format: "der", type: "pkcs8" }).asymmetricKeyType).toBe("ec");
      using material = Secret.take(torn);
      expect(() => selfTest({ ...version, keySpec: "ECC_NIST_P256", keyUsage }, material)).toThrow(failure);
    },
  );

  it.each(["SIGN_VERIFY", "ENCRYPT_DECRYPT"] as const)(
    "of RSA whose exponents do not belong to its modulus => fails for %s",
    async (keyUsage) => {
      using right = await materialFor("RSA_2048");
      const torn = Uint8Array.from(right.exposeSecretBytes());
      // A byte of the modulus, which comes first.
      torn[100] = (torn[100] ?? 0) ^ 2;
      using material = Secret.take(torn);
      expect(() => selfTest({ ...version, keySpec: "RSA_2048", keyUsage }, material)).toThrow(failure);
    },
  );
});
