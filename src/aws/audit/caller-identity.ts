import { parsePrincipal } from "../../access/principal.ts";
import type { AuditSite } from "../../audit/record/api-call.ts";
import type { UserIdentity } from "../../audit/record/audit-record.ts";
import { roleIdentity, sessionIdentity, userIdentity } from "../../audit/record/identities.ts";
import type { Caller } from "../caller.ts";

/** Returns the identity of an authenticated caller: a user, a ServiceAccount, or a session of a ServiceAccount. */
export function callerIdentity(
  { arn, user, session }: Caller,
  accessKeyId: string | undefined,
  site: AuditSite,
): UserIdentity {
  const principal = parsePrincipal(arn, site.account);
  if (principal?.kind !== "role") return { ...userIdentity(arn, user, site), accessKeyId };
  const role = { arn, namespace: principal.namespace, name: principal.name };
  const identity = session === undefined ? roleIdentity(role, site) : sessionIdentity(role, session, site);
  return { ...identity, accessKeyId };
}
