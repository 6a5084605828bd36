import { AwsError } from "../../aws-error.ts";
import type { Nothing } from "../../management/key-change.ts";
import { findById } from "../../management/managed-key.ts";
import type { ManagedObjects } from "../../management/managed-objects.ts";
import type { DryRunInput, Operation } from "../../operations/operation.ts";
import type { AwsGrants } from "../aws-grants.ts";
import { endGrant } from "../end-grant.ts";

interface Input extends DryRunInput {
  readonly KeyId: string;
  readonly GrantId: string;
}

export const revokeGrant = (grants: AwsGrants, objects: ManagedObjects): Operation<Input, Nothing> => ({
  needs: ({ input, caller }, keys) => [{ action: "RevokeGrant", key: findById(keys, input.KeyId, caller) }],
  prepare({ input, caller }, keys) {
    const { keyId } = findById(keys, input.KeyId, caller);
    const grant = grants.wholeIndex.get(input.GrantId);
    if (grant === undefined || grant.keyId !== keyId)
      throw new AwsError("NotFoundException", "There is no such grant of this key.");
    return async () => {
      await endGrant(grants, objects, caller, grant, "Revoked");
      return {};
    };
  },
});
