import { isInTime } from "../../../access/grant-terms.ts";
import { AwsError } from "../../aws-error.ts";
import { findById } from "../../management/managed-key.ts";
import type { Operation } from "../../operations/operation.ts";
import { type PageInput, pageOf } from "../../operations/paging.ts";
import type { AwsGrants } from "../aws-grants.ts";
import { entryOf, GRANTS_A_PAGE, type GrantPage } from "../grant-entry.ts";

interface Input extends PageInput {
  readonly KeyId: string;
  readonly GrantId?: string;
  readonly GranteePrincipal?: string;
}

/** Lists the grants of a key that are in force. */
export const listGrants = (grants: AwsGrants): Operation<Input, GrantPage> => ({
  needs: ({ input, caller }, keys) => [{ action: "ListGrants", key: findById(keys, input.KeyId, caller) }],
  prepare({ input, caller, now }, keys) {
    const { keyId } = findById(keys, input.KeyId, caller);
    const found = [...grants.wholeIndex.ofKey(keyId)].filter(
      (grant) =>
        grant.ended === undefined &&
        isInTime(grant, now) &&
        (input.GrantId === undefined || grant.grantId === input.GrantId) &&
        (input.GranteePrincipal === undefined || grant.granteePrincipal === input.GranteePrincipal),
    );
    if (input.GrantId !== undefined && found.length === 0)
      throw new AwsError("InvalidGrantIdException", "There is no such grant of this key.");
    const { entries, rest } = pageOf(found, ({ grantId }) => grantId, input, GRANTS_A_PAGE);
    return () => ({ Grants: entries.map((grant) => entryOf(grant, keys)), ...rest });
  },
});
