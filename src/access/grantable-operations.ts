import type { GrantOperation } from "../keyring/grant-row.ts";

const ALWAYS = ["CreateGrant", "RetireGrant", "DescribeKey"] as const;

const SYMMETRIC = [
  "Encrypt",
  "Decrypt",
  "GenerateDataKey",
  "GenerateDataKeyWithoutPlaintext",
  "GenerateDataKeyPair",
  "GenerateDataKeyPairWithoutPlaintext",
  "ReEncryptFrom",
  "ReEncryptTo",
] as const;

/** The operations of keys that are not SYMMETRIC_DEFAULT, by usage. */
const byUsage: Readonly<Record<string, readonly GrantOperation[]>> = {
  ENCRYPT_DECRYPT: ["Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GetPublicKey"],
  SIGN_VERIFY: ["Sign", "Verify", "GetPublicKey"],
  GENERATE_VERIFY_MAC: ["GenerateMac", "VerifyMac"],
  KEY_AGREEMENT: ["DeriveSharedSecret", "GetPublicKey"],
  ENCAPSULATE_DECAPSULATE: ["Encapsulate", "Decapsulate", "GetPublicKey"],
};

/** Returns the operations that a key can do: AWS KMS refuses a grant of any other. */
export function operationsOf(keySpec: string, keyUsage: string): readonly GrantOperation[] {
  if (keySpec === "SYMMETRIC_DEFAULT") return [...SYMMETRIC, ...ALWAYS];
  return [...(Object.hasOwn(byUsage, keyUsage) ? (byUsage[keyUsage] ?? []) : []), ...ALWAYS];
}

/** Returns true if requests with a key have an encryption context, so that a grant may have constraints. */
export const hasEncryptionContext = (keySpec: string): boolean => keySpec === "SYMMETRIC_DEFAULT";
