import { keySpecs } from "../../crypto/key-specs.ts";
import { AwsError } from "../aws-error.ts";
import type { UsableKey } from "../keys/aws-keys.ts";

/** The algorithm of symmetric ciphertexts. */
export const SYMMETRIC = "SYMMETRIC_DEFAULT";

/** Returns the names of the algorithms of a key, by its spec and usage. */
function algorithmsOf({ version: { keySpec, keyUsage } }: UsableKey): readonly string[] {
  const { algorithms }: { readonly algorithms: { readonly [usage: string]: readonly string[] | undefined } } =
    keySpecs[keySpec];
  return algorithms[keyUsage] ?? [];
}

/** Throws InvalidKeyUsageException if the key does not use the algorithm. */
export function refuseOtherAlgorithm(usable: UsableKey, algorithm: string): void {
  if (algorithmsOf(usable).includes(algorithm)) return;
  throw new AwsError(
    "InvalidKeyUsageException",
    `Algorithm ${algorithm} is incompatible with key spec ${usable.version.keySpec} of ${usable.arn}.`,
  );
}
