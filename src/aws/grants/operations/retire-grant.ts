import { AwsError } from "../../aws-error.ts";
import type { Caller } from "../../caller.ts";
import type { AwsKeys } from "../../keys/aws-keys.ts";
import type { Nothing } from "../../management/key-change.ts";
import { findById } from "../../management/managed-key.ts";
import type { ManagedObjects } from "../../management/managed-objects.ts";
import { until } from "../../management/until.ts";
import type { DryRunInput, Operation } from "../../operations/operation.ts";
import type { AwsGrants } from "../aws-grants.ts";
import { endGrant } from "../end-grant.ts";

interface Input extends DryRunInput {
  readonly GrantToken?: string;
  readonly KeyId?: string;
  readonly GrantId?: string;
}

/** Retires a grant that is named by its token, or by its key and its id. */
export const retireGrant = (grants: AwsGrants, objects: ManagedObjects): Operation<Input, Nothing> => ({
  needs({ input, caller }, keys) {
    const { key, grantId } = targetOf(grants, input, caller, keys);
    return [{ action: "RetireGrant", key, target: { grantId, keyId: key.keyId } }];
  },
  async prepare({ input, caller }, keys) {
    const { key, grantId } = targetOf(grants, input, caller, keys);
    // A token may be quicker than the keyring.
    if (input.GrantToken !== undefined) await until(() => grants.fresh(grantId) !== undefined);
    const grant = grants.wholeIndex.get(grantId);
    // The permission was asked for this key, and not for the key of another grant.
    if (grant === undefined || grant.keyId !== key.keyId)
      throw new AwsError("NotFoundException", "There is no such grant of this key.");
    return async () => {
      await endGrant(grants, objects, caller, grant, "Retired");
      return {};
    };
  },
});

function targetOf(grants: AwsGrants, { GrantToken, KeyId, GrantId }: Input, caller: Caller, keys: AwsKeys) {
  const [token] = GrantToken === undefined ? [] : grants.tokens([GrantToken]);
  if (token !== undefined && KeyId === undefined && GrantId === undefined)
    return { grantId: token.grantId, key: keys.withId(token.keyId) ?? keys.absent(noSuchKey()) };
  if (token !== undefined || KeyId === undefined || GrantId === undefined)
    throw new AwsError("ValidationException", "Name a grant by GrantToken, or by KeyId and GrantId.");
  return { grantId: GrantId, key: findById(keys, KeyId, caller) };
}

const noSuchKey = (): AwsError => new AwsError("NotFoundException", "The key of the grant does not exist.");
