import { generateMaterial, type KeySpec } from "../crypto/key-specs.ts";
import type { Secret } from "../crypto/secret.ts";
import type { KeyPairs } from "./key-pairs.ts";

/** Material of specs that need seconds of a core: it is generated beside the leader's queue. */
export type SlowMaterials = KeyPairs<KeySpec, SlowMaterial>;

interface SlowMaterial {
  readonly privateKey: Secret;
}

/** Generates the private key of a spec. */
export const slowMaterial = async (spec: KeySpec): Promise<SlowMaterial> => ({
  privateKey: await generateMaterial(spec),
});
