import { AwsError } from "../../aws-error.ts";
import { findById } from "../../management/managed-key.ts";
import type { Operation } from "../../operations/operation.ts";
import { POLICY_NAME } from "../aws-policies.ts";

interface Input {
  readonly KeyId: string;
  readonly PolicyName?: string;
}

interface Output {
  readonly Policy: string;
  readonly PolicyName: string;
}

export const getKeyPolicy: Operation<Input, Output> = {
  needs: ({ input, caller }, keys) => [{ action: "GetKeyPolicy", key: findById(keys, input.KeyId, caller) }],
  prepare({ input, caller }, keys) {
    const key = findById(keys, input.KeyId, caller);
    if (input.PolicyName !== undefined && input.PolicyName !== POLICY_NAME)
      throw new AwsError("NotFoundException", "No such policy exists");
    const { document } = keys.policies.of(key);
    if (document === undefined)
      throw new AwsError("KMSInvalidStateException", "The key policy is longer than 32 KiB.");
    return () => ({ Policy: document, PolicyName: POLICY_NAME });
  },
};
