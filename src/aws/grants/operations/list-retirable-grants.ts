import { isInTime } from "../../../access/grant-terms.ts";
import { AwsError } from "../../aws-error.ts";
import type { Operation } from "../../operations/operation.ts";
import { type PageInput, pageOf } from "../../operations/paging.ts";
import type { AwsGrants } from "../aws-grants.ts";
import { entryOf, GRANTS_A_PAGE, type GrantPage } from "../grant-entry.ts";

interface Input extends PageInput {
  readonly RetiringPrincipal?: string;
}

/**
 * Lists the grants that a principal may retire as their retiring principal: the caller's own in every namespace,
 * and others in the caller's namespace, which is its account.
 */
export const listRetirableGrants = (grants: AwsGrants): Operation<Input, GrantPage> => ({
  needs: () => [{ action: "ListRetirableGrants" }],
  prepare({ input, caller, now }, keys) {
    const { RetiringPrincipal: principal } = input;
    if (principal === undefined) throw new AwsError("ValidationException", "RetiringPrincipal is needed.");
    const found = [...grants.wholeIndex.retirableBy(principal)].filter(
      (grant) =>
        grant.ended === undefined &&
        isInTime(grant, now) &&
        (principal === caller.arn || grant.namespace === caller.namespace),
    );
    const { entries, rest } = pageOf(found, ({ grantId }) => grantId, input, GRANTS_A_PAGE);
    return () => ({ Grants: entries.map((grant) => entryOf(grant, keys)), ...rest });
  },
});
