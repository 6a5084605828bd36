import { type AsymmetricSpec, isAsymmetric } from "../../../crypto/asymmetric/key-types.ts";
import type { KeyUsage } from "../../../crypto/key-specs.ts";
import type { Secret } from "../../../crypto/secret.ts";
import type { VersionRow } from "../../../keyring/rows.ts";
import { AwsError } from "../../aws-error.ts";
import type { AwsKeys } from "../../keys/aws-keys.ts";
import { refuseOtherAlgorithm } from "../algorithms.ts";
import type { DryRunInput, Request } from "../operation.ts";

/** The members that operations with a key pair share. */
export interface KeyPairInput extends DryRunInput {
  readonly KeyId: string;
}

/** A key pair that may be used now. */
export interface KeyPair {
  readonly spec: AsymmetricSpec;
  readonly arn: string;
  readonly version: VersionRow;
  /** Returns the private key. Throws as `AwsKeys.material` does. */
  readonly material: () => Promise<Secret>;
}

/**
 * Returns the key pair of a request. Throws as `usableFor` does, and InvalidKeyUsageException if the key does not
 * use the algorithm.
 */
export function keyPair(
  { input, caller, now }: Request<KeyPairInput>,
  usage: KeyUsage,
  algorithm: string,
  keys: AwsKeys,
): KeyPair {
  const usable = keys.usableFor(keys.find(input.KeyId, caller), usage, now);
  refuseOtherAlgorithm(usable, algorithm);
  const { version, arn } = usable;
  if (!isAsymmetric(version.keySpec))
    throw new AwsError(
      "InvalidKeyUsageException",
      `${arn} has no key pair: its key spec is ${version.keySpec}.`,
    );
  return { spec: version.keySpec, arn, version, material: () => keys.material(version) };
}
