import { randomBytes } from "node:crypto";
import type { KeyIds } from "./keys.ts";

/** The operations that are measured. */
export const OPERATIONS = ["Encrypt", "Decrypt", "GenerateDataKey", "GenerateMac", "Sign"] as const;
export type MeasuredOperation = (typeof OPERATIONS)[number];

/** The grants of claviger's application are constrained to it. */
const CONTEXT = { tenant: "bench" };
/** The length of a data key, and of the messages that are signed. */
const BYTES = 32;

/** Returns the input of a request with new random bytes. `ciphertext` is the base64 of an earlier Encrypt. */
export function inputOf(operation: MeasuredOperation, keys: KeyIds, ciphertext = ""): object {
  const bytes = randomBytes(BYTES).toString("base64");
  const symmetric = { KeyId: keys.symmetric, EncryptionContext: CONTEXT };
  switch (operation) {
    case "Encrypt":
      return { ...symmetric, Plaintext: bytes };
    case "Decrypt":
      return { ...symmetric, CiphertextBlob: ciphertext };
    case "GenerateDataKey":
      return { ...symmetric, KeySpec: "AES_256" };
    case "GenerateMac":
      return { KeyId: keys.hmac, Message: bytes, MacAlgorithm: "HMAC_SHA_256" };
    case "Sign":
      return {
        ...{ KeyId: keys.pair, Message: bytes, MessageType: "RAW" },
        SigningAlgorithm: "ECDSA_SHA_256",
      };
  }
}
