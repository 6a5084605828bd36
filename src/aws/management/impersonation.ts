import type { ImpersonatedUser } from "../../kube/request.ts";
import { AwsError } from "../aws-error.ts";
import type { Caller } from "../caller.ts";

/** The text of a header: a space at either end would be lost on the way, and the name be another's. */
const HEADER = /^[!-~](?:[ -~]{0,1022}[!-~])?$/;
const SERVICE_ACCOUNT = /^system:serviceaccount:[^:]+:[^:]+$/;
/** The API server adds this group to every user. */
const AUTHENTICATED = "system:authenticated";

/**
 * Returns the user of Kubernetes as whom a caller's changes are made. The API server itself knows the groups of
 * ServiceAccounts. Throws AccessDeniedException for a name that does not fit into a header.
 */
export function impersonated({ arn, user, groups }: Caller): ImpersonatedUser {
  const asked = SERVICE_ACCOUNT.test(user) ? [] : groups.filter((group) => group !== AUTHENTICATED);
  if ([user, ...asked].every((name) => HEADER.test(name))) return { user, groups: asked };
  throw new AwsError(
    "AccessDeniedException",
    `${arn} has a user or group name that no request to the API server can carry.`,
  );
}
