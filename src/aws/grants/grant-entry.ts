import { rootArn } from "../../access/principal.ts";
import type { GrantOperation, GrantRow } from "../../keyring/grant-row.ts";
import type { AwsKeys } from "../keys/aws-keys.ts";
import type { ConstraintsInput } from "./grant-terms.ts";

/** A grant in the answers of ListGrants and ListRetirableGrants. */
export interface GrantListEntry {
  readonly KeyId: string;
  readonly GrantId: string;
  readonly Name?: string;
  readonly CreationDate: Date;
  readonly GranteePrincipal: string;
  readonly RetiringPrincipal?: string;
  readonly IssuingAccount: string;
  readonly Operations: readonly GrantOperation[];
  readonly Constraints?: ConstraintsInput;
}

export interface GrantPage {
  readonly Grants: readonly GrantListEntry[];
  readonly Truncated: boolean;
  readonly NextMarker?: string;
}

/** AWS KMS's page, if the request does not say how long it is. */
export const GRANTS_A_PAGE = 50;

export const entryOf = (grant: GrantRow, keys: AwsKeys): GrantListEntry => ({
  KeyId: keys.arn(grant),
  GrantId: grant.grantId,
  ...(grant.grantName !== undefined && { Name: grant.grantName }),
  CreationDate: new Date(grant.createdAt),
  GranteePrincipal: grant.granteePrincipal,
  ...(grant.retiringPrincipal !== undefined && { RetiringPrincipal: grant.retiringPrincipal }),
  IssuingAccount: rootArn(keys.site.account),
  Operations: grant.operations,
  ...(grant.constraint !== undefined && { Constraints: constraintsOf(grant.constraint) }),
});

export const constraintsOf = ({ kind, context }: NonNullable<GrantRow["constraint"]>): ConstraintsInput =>
  kind === "Equals" ? { EncryptionContextEquals: context } : { EncryptionContextSubset: context };
