import { readFileSync } from "node:fs";
import { generateKeyPair } from "../crypto/asymmetric/generate.ts";
import type { AsymmetricSpec } from "../crypto/asymmetric/key-types.ts";
import { isAsymmetric } from "../crypto/asymmetric/key-types.ts";
import {
  DEFAULT_KEY_USAGE,
  generateMaterial,
  type KeySpec,
  type KeyUsage,
  usagesOf,
} from "../crypto/key-specs.ts";
import { Secret } from "../crypto/secret.ts";

const VECTORS = new URL("../../test/vectors/official/rsa-oaep.json", import.meta.url);

interface Vectors {
  readonly sets: readonly {
    readonly groups: readonly { readonly keySize: number; readonly privateKeyPkcs8: string }[];
  }[];
}

/**
 * Returns a private key of a spec. RSA keys are published test keys: RSA_4096 would need seconds. The others
 * are new.
 */
export async function privateKeyFor(spec: AsymmetricSpec): Promise<Secret> {
  if (!spec.startsWith("RSA_")) return (await generateKeyPair(spec)).privateKey;
  const { sets } = JSON.parse(readFileSync(VECTORS, "utf8")) as Vectors;
  const known = sets.flatMap(({ groups }) => groups).find(({ keySize }) => spec === `RSA_${keySize}`);
  return Secret.take(Buffer.from(known?.privateKeyPkcs8 ?? "", "hex"));
}

/** Returns material of any spec, without seconds of waiting. */
export const materialFor = (spec: KeySpec): Promise<Secret> =>
  isAsymmetric(spec) ? privateKeyFor(spec) : generateMaterial(spec);

/** Returns the first usage that a key of a spec may have. */
export const usageFor = (spec: KeySpec): KeyUsage => usagesOf(spec)[0] ?? DEFAULT_KEY_USAGE;
