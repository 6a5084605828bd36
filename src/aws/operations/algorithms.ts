import { algorithmsOf } from "../../crypto/key-specs.ts";
import { AwsError } from "../aws-error.ts";
import type { UsableKey } from "../keys/aws-keys.ts";

/** The algorithm of symmetric ciphertexts. */
export const SYMMETRIC = "SYMMETRIC_DEFAULT";

/** Throws InvalidKeyUsageException if the key does not use the algorithm. */
export function refuseOtherAlgorithm(usable: UsableKey, algorithm: string): void {
  const { keySpec, keyUsage } = usable.version;
  if (algorithmsOf(keySpec, keyUsage).includes(algorithm)) return;
  throw new AwsError(
    "InvalidKeyUsageException",
    `Algorithm ${algorithm} is incompatible with key spec ${keySpec} of ${usable.arn}.`,
  );
}
