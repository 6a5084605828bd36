import { isInTime } from "../../../access/grant-terms.ts";
import { AwsError } from "../../aws-error.ts";
import type { Operation } from "../../operations/operation.ts";
import { type PageInput, pageOf } from "../../operations/paging.ts";
import type { AwsGrants } from "../aws-grants.ts";
import { entryOf, GRANTS_A_PAGE, type GrantPage } from "../grant-entry.ts";

interface Input extends PageInput {
  readonly RetiringPrincipal?: string;
}

/** Lists the grants that a principal may retire as their retiring principal. */
export const listRetirableGrants = (grants: AwsGrants): Operation<Input, GrantPage> => ({
  needs: () => [{ action: "ListRetirableGrants" }],
  prepare({ input, now }, keys) {
    if (input.RetiringPrincipal === undefined)
      throw new AwsError("ValidationException", "RetiringPrincipal is needed.");
    const found = [...grants.index.retirableBy(input.RetiringPrincipal)].filter(
      (grant) => grant.ended === undefined && isInTime(grant, now),
    );
    const { entries, rest } = pageOf(found, ({ grantId }) => grantId, input, GRANTS_A_PAGE);
    return () => ({ Grants: entries.map((grant) => entryOf(grant, keys)), ...rest });
  },
});
