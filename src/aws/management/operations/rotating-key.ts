import { mayRotate } from "../../../crypto/key-specs.ts";
import { AwsError } from "../../aws-error.ts";
import { type ObservedKey, refuseStates } from "../managed-key.ts";

/** Throws the error of AWS KMS unless the key is one that gets new versions by claviger itself, and is Enabled. */
export function refuseOtherThanRotating(observed: ObservedKey): void {
  const { masterKey, arn } = observed;
  const { keySpec, origin } = masterKey.spec;
  if (origin === "EXTERNAL")
    throw new AwsError(
      "UnsupportedOperationException",
      `${arn} origin is EXTERNAL which is not valid for this operation.`,
    );
  if (!mayRotate(keySpec))
    throw new AwsError(
      "UnsupportedOperationException",
      `${arn} key spec is ${keySpec} which is not valid for this operation.`,
    );
  refuseStates(observed);
}
