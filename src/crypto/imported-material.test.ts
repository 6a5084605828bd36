import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { materialFor, usageFor } from "../testing/materials.ts";
import { ecPrivateKey } from "./asymmetric/ec-private-key.ts";
import { keyTypes } from "./asymmetric/key-types.ts";
import { importedMaterial, importSize, materialText } from "./imported-material.ts";
import { KEY_SPECS } from "./key-specs.ts";
import { Secret } from "./secret.ts";

const bytesOf = (secret: Secret | undefined): string =>
  Buffer.from(secret?.exposeSecretBytes() ?? []).toString("hex");

test.each(KEY_SPECS)("material of %s => taken as it is", async (spec) => {
  using material = await materialFor(spec);
  using taken = importedMaterial(spec, usageFor(spec), material);
  expect(bytesOf(taken)).toBe(bytesOf(material));
  expect(material.size).toBeLessThanOrEqual(importSize(spec).most);
});

test.each(KEY_SPECS)("bytes that are no material of %s => refused", (spec) => {
  using short = Secret.random(importSize(spec).least - 1);
  using long = Secret.random(importSize(spec).most + 1);
  expect(importedMaterial(spec, usageFor(spec), short)).toBeUndefined();
  expect(importedMaterial(spec, usageFor(spec), long)).toBeUndefined();
});

test("a private key of another spec, or for another usage => refused, and the message says what is needed", async () => {
  using p256 = await materialFor("ECC_NIST_P256");
  expect(importedMaterial("ECC_NIST_P384", "SIGN_VERIFY", p256)).toBeUndefined();
  expect(importedMaterial("ECC_SECG_P256K1", "SIGN_VERIFY", p256)).toBeUndefined();
  expect(materialText("ECC_NIST_P384")).toBe("a private key of spec ECC_NIST_P384 (PKCS #8, DER)");
  expect(materialText("HMAC_224")).toBe("28 bytes");
});

test("a key in another encoding => the same material as in the usual one, so that its re-import is recognised", () => {
  const { curve } = keyTypes.ECC_NIST_P256;
  // Without the public point, as some programs write it.
  const bare = Buffer.from(
    `3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420${"11".repeat(32)}`,
    "hex",
  );
  const jwk = ecPrivateKey(curve, BigInt(`0x${"11".repeat(32)}`)).export({ format: "jwk" });
  const usual = createPrivateKey({ key: jwk, format: "jwk" }).export({ type: "pkcs8", format: "der" });
  using imported = Secret.take(bare);
  using other = Secret.take(usual);
  using first = importedMaterial("ECC_NIST_P256", "SIGN_VERIFY", imported);
  using second = importedMaterial("ECC_NIST_P256", "SIGN_VERIFY", other);
  expect(first?.size).toBe(138);
  expect(bytesOf(first)).toBe(bytesOf(second));
});

test("an RSA key that is bound to PSS => refused: AWS KMS's keys are not", () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa-pss", { modulusLength: 2048 });
  expect(createPublicKey(publicKey.export({ type: "spki", format: "pem" })).asymmetricKeyType).toBe(
    "rsa-pss",
  );
  using imported = Secret.take(privateKey.export({ type: "pkcs8", format: "der" }));
  expect(importedMaterial("RSA_2048", "SIGN_VERIFY", imported)).toBeUndefined();
});
