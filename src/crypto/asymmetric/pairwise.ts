import { randomBytes, timingSafeEqual } from "node:crypto";
import { codeOf } from "../../errors.ts";
import type { MaterialTest } from "../material-tests.ts";
import type { Secret } from "../secret.ts";
import { decapsulate, encapsulate } from "./encapsulate.ts";
import { type AsymmetricSpec, keyTypeOf } from "./key-types.ts";
import { decryptOaep, encryptOaep } from "./oaep.ts";
import { sign } from "./sign.ts";
import { verify } from "./verify.ts";

/**
 * Tests that the two halves of a key pair belong together: a PKCS #8 structure holds both, and they may
 * contradict each other (pairwise consistency, FIPS 140-3 implementation guidance, section 10.3.A). A key for
 * encryption encrypts, all others but ML-KEM's sign.
 */
export const isConsistentPair =
  (spec: AsymmetricSpec): MaterialTest =>
  ({ keyUsage }, material) => {
    try {
      if (keyUsage === "ENCRYPT_DECRYPT") return opensWhatItEncrypts(spec, material);
      if (keyUsage === "ENCAPSULATE_DECAPSULATE") return opensWhatItEncapsulates(spec, material);
      return verifiesWhatItSigns(spec, material);
    } catch (error) {
      // The material is no private key of this spec, or OpenSSL refuses to use it.
      if (["InvalidArgument", "InvalidCiphertext"].includes(codeOf(error)) || isOfOpenSsl(error))
        return false;
      throw error;
    }
  };

const isOfOpenSsl = (error: unknown): boolean =>
  error instanceof Error && "code" in error && String(error.code).startsWith("ERR_OSSL");

function opensWhatItEncrypts(spec: AsymmetricSpec, material: Secret): boolean {
  const probe = randomBytes(32);
  const algorithm = "RSAES_OAEP_SHA_256";
  using opened = decryptOaep(spec, algorithm, material, encryptOaep(spec, algorithm, material, probe));
  return probe.equals(opened.exposeSecretBytes());
}

function opensWhatItEncapsulates(spec: AsymmetricSpec, material: Secret): boolean {
  const { sharedSecret, ciphertext } = encapsulate(spec, "ML_KEM", material);
  using made = sharedSecret;
  using opened = decapsulate(spec, "ML_KEM", material, ciphertext);
  return timingSafeEqual(made.exposeSecretBytes(), opened.exposeSecretBytes());
}

function verifiesWhatItSigns(spec: AsymmetricSpec, material: Secret): boolean {
  const probe = randomBytes(32);
  const signing = { spec, algorithm: algorithmOf(spec), messageType: "RAW" } as const;
  return verify(signing, material, probe, sign(signing, material, probe));
}

function algorithmOf(spec: AsymmetricSpec): string {
  const type = keyTypeOf(spec);
  switch (type.kind) {
    case "rsa":
      return "RSASSA_PSS_SHA_256";
    case "ec":
      return type.signing;
    case "ed25519":
      return "ED25519_SHA_512";
    case "ml-dsa":
      return "ML_DSA_SHAKE_256";
    case "ml-kem":
      return "none: the key does not sign";
  }
}
