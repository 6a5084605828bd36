import type { AwsKeys, UsableKey } from "../../keys/aws-keys.ts";
import { refuseOtherAlgorithm } from "../algorithms.ts";
import type { DryRunInput, Request } from "../operation.ts";

/** The members that GenerateMac and VerifyMac share. */
export interface MacInput extends DryRunInput {
  readonly KeyId: string;
  readonly Message: Buffer;
  readonly MacAlgorithm: string;
}

/** Returns a key that makes MACs with the algorithm. Throws as `usableFor` does, and InvalidKeyUsageException. */
export function macKey({ input, caller, now }: Request<MacInput>, keys: AwsKeys): UsableKey {
  const usable = keys.usableFor(keys.find(input.KeyId, caller), "GENERATE_VERIFY_MAC", now);
  refuseOtherAlgorithm(usable, input.MacAlgorithm);
  return usable;
}
