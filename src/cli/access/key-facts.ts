import type { GrantIndex } from "../../access/grant-index.ts";
import { keyArn } from "../../aws/keys/key-name.ts";
import type { HeldPolicy } from "../../aws/policies/aws-policies.ts";
import type { PolicyKeys } from "../../aws/policies/request-values.ts";
import { ClavigerError } from "../../errors.ts";
import type { AliasRow, KeyRow } from "../../keyring/rows.ts";
import type { KeyDetails } from "../../keyring/tables/key-details.ts";
import type { AwsSite } from "../../keys/arn.ts";
import { nameText } from "../../names.ts";

/** A KeyGrant of the key that allows nothing, because it is not accepted. */
export interface UnacceptedGrant {
  /** NAMESPACE/NAME. */
  readonly name: string;
  readonly granteePrincipal: string;
  readonly why: string;
}

/** Everything about a key by which its users are decided, but RBAC. */
export interface KeyFacts {
  readonly key: KeyRow;
  readonly site: AwsSite;
  readonly policy: HeldPolicy;
  /** Undefined if the operator has not recorded it yet. */
  readonly details: KeyDetails | undefined;
  /** The aliases of the key's namespace. */
  readonly aliases: readonly AliasRow[];
  readonly grants: GrantIndex;
  readonly unaccepted: readonly UnacceptedGrant[];
}

/** Returns the facts as the conditions of a policy ask for them. */
export const policyKeysOf = ({ key, site, details, aliases }: KeyFacts): PolicyKeys => ({
  site,
  details: () => details ?? notRecorded(key),
  aliasesOf: () => aliases,
  alias: (name) => aliases.find((alias) => nameText(alias) === nameText(name)),
  arn: ({ keyId }) => keyArn(keyId, site),
});

function notRecorded(key: KeyRow): never {
  throw new ClavigerError(
    "NotReady",
    `the operator has not recorded the details of ${nameText(key)} yet, and a condition of its key policy is about them: see its log`,
  );
}
