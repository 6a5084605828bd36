import { createSecretKey, randomBytes } from "node:crypto";
import { expect, it, vi } from "vitest";
import { newKeyId, newVersionId } from "../crypto/ids.ts";
import { generateMaterial, KEY_SPECS } from "../crypto/key-specs.ts";
import { Secret } from "../crypto/secret.ts";
import { selfTest } from "./self-test.ts";

const version = { keyId: newKeyId(), versionId: newVersionId(), number: 1 };

it.each(KEY_SPECS)("a version with new material for %s passes", (keySpec) => {
  using material = generateMaterial(keySpec);
  expect(() => selfTest({ ...version, keySpec }, material)).not.toThrow();
});

it.each(KEY_SPECS)("a version whose material for %s is gone does not pass", (keySpec) => {
  const material = generateMaterial(keySpec);
  material.wipe();
  expect(() => selfTest({ ...version, keySpec }, material)).toThrow("a wiped secret was used");
});

it("a version whose Encrypt no Decrypt opens => SealMismatch naming it", () => {
  using material = Secret.random(32);
  // The first use of the material is the Encrypt.
  vi.spyOn(material, "exposeSecretKey").mockReturnValueOnce(createSecretKey(randomBytes(32)));
  expect(() => selfTest({ ...version, keySpec: "SYMMETRIC_DEFAULT" }, material)).toThrow(
    expect.objectContaining({
      code: "SealMismatch",
      message: `version 1 of key ${version.keyId} failed its self-test`,
    }),
  );
});
