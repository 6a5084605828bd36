import { readFileSync } from "node:fs";
import { generateKeyPair } from "../crypto/asymmetric/generate.ts";
import type { AsymmetricSpec } from "../crypto/asymmetric/key-types.ts";
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
