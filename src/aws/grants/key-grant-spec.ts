import type { GrantTerms } from "../../keyring/grant-row.ts";
import type { KeyRow } from "../../keyring/rows.ts";
import type { KeyGrant } from "../../resources/resources.ts";
import type { Caller } from "../caller.ts";

/** The schema of KeyGrants has no room for more. */
const MOST_GROUPS = 32;
/** Every user is in it, and the operator's question adds it. */
const AUTHENTICATED = "system:authenticated";

/** Returns the spec of the KeyGrant that grants these terms. */
export function keyGrantSpec({
  key,
  terms,
  caller,
  name,
  parent,
}: {
  readonly key: KeyRow;
  readonly terms: GrantTerms;
  readonly caller: Caller;
  /** AWS KMS's name of the grant. */
  readonly name: string | undefined;
  /** The KeyGrant that allows the caller to create this one; RBAC allows it if left out. */
  readonly parent: string | undefined;
}): KeyGrant["spec"] {
  const { granteePrincipal, retiringPrincipal, operations, constraint } = terms;
  const groups = caller.groups.filter((group) => group !== AUTHENTICATED).slice(0, MOST_GROUPS);
  return {
    masterKey: key.name,
    granteePrincipal,
    ...(retiringPrincipal !== undefined && { retiringPrincipal }),
    operations,
    ...(constraint !== undefined && {
      constraints: { [`encryptionContext${constraint.kind}`]: constraint.context },
    }),
    ...(name !== undefined && { name }),
    grantedBy: { user: caller.user, groups },
    ...(parent !== undefined && { parent }),
  };
}
