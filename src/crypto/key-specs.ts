import { Secret } from "./secret.ts";

/** AWS KMS's names. Asymmetric specs join when the door that uses them does. */
export const KEY_SPECS = ["SYMMETRIC_DEFAULT", "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512"] as const;
export const KEY_USAGES = ["ENCRYPT_DECRYPT", "GENERATE_VERIFY_MAC"] as const;
export const ORIGINS = ["AWS_KMS", "EXTERNAL"] as const;

export type KeySpec = (typeof KEY_SPECS)[number];
export type KeyUsage = (typeof KEY_USAGES)[number];
export type Origin = (typeof ORIGINS)[number];

interface KeySpecRow {
  readonly usage: KeyUsage;
  readonly materialBytes: number;
}

/** What each spec is for and how long its material is (AWS KMS developer guide, "Key spec reference"). */
const rows: Readonly<Record<KeySpec, KeySpecRow>> = {
  SYMMETRIC_DEFAULT: { usage: "ENCRYPT_DECRYPT", materialBytes: 32 },
  HMAC_224: { usage: "GENERATE_VERIFY_MAC", materialBytes: 28 },
  HMAC_256: { usage: "GENERATE_VERIFY_MAC", materialBytes: 32 },
  HMAC_384: { usage: "GENERATE_VERIFY_MAC", materialBytes: 48 },
  HMAC_512: { usage: "GENERATE_VERIFY_MAC", materialBytes: 64 },
};

/** The one usage that a spec has. */
export const usageOf = (spec: KeySpec): KeyUsage => rows[spec].usage;

/** The length of a spec's material, in bytes. */
export const materialBytes = (spec: KeySpec): number => rows[spec].materialBytes;

/** New random material for a spec. */
export const generateMaterial = (spec: KeySpec): Secret => Secret.random(materialBytes(spec));
