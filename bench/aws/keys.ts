/** The keys of every server that is measured, by name. */
export const SPECS = {
  symmetric: { keySpec: "SYMMETRIC_DEFAULT", keyUsage: "ENCRYPT_DECRYPT" },
  hmac: { keySpec: "HMAC_256", keyUsage: "GENERATE_VERIFY_MAC" },
  pair: { keySpec: "ECC_NIST_P256", keyUsage: "SIGN_VERIFY" },
} as const;

/** The ids of the keys. */
export type KeyIds = Readonly<Record<keyof typeof SPECS, string>>;
