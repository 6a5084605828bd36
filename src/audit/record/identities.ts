import type { AuditSite } from "./api-call.ts";
import type { UserIdentity } from "./audit-record.ts";

/** Returns the identity of a part of the cluster, such as an API server. Rules for people's actions leave it out. */
export const serviceIdentity = (name: string, { account }: AuditSite): UserIdentity => ({
  type: "AWSService",
  accountId: account,
  invokedBy: name,
});

/** Returns the identity of a user. */
export const userIdentity = (arn: string, userName: string, { account }: AuditSite): UserIdentity => ({
  type: "IAMUser",
  principalId: userName,
  arn,
  accountId: account,
  userName,
});

/** The role of a ServiceAccount. */
export interface AuditRole {
  readonly arn: string;
  readonly namespace: string;
  readonly name: string;
}

/** Returns the identity of a ServiceAccount that has a credential of its own. */
export const roleIdentity = (role: AuditRole, { account }: AuditSite): UserIdentity => ({
  type: "Role",
  principalId: roleId(role),
  arn: role.arn,
  accountId: account,
  userName: role.name,
});

/** Returns the identity of a session of a ServiceAccount. */
export const sessionIdentity = (role: AuditRole, session: string, { account }: AuditSite): UserIdentity => ({
  type: "AssumedRole",
  principalId: `${roleId(role)}:${session}`,
  arn: `arn:aws:sts::${account}:assumed-role/${role.namespace}/${role.name}/${session}`,
  accountId: account,
  sessionContext: {
    sessionIssuer: {
      type: "Role",
      principalId: roleId(role),
      arn: role.arn,
      accountId: account,
      userName: role.name,
    },
    attributes: { mfaAuthenticated: "false" },
  },
});

/** Returns the identity of whoever exchanges a token of a ServiceAccount for a session. */
export const webIdentity = (user: string): UserIdentity => ({
  type: "WebIdentityUser",
  principalId: user,
  userName: user,
  identityProvider: "kubernetes",
});

/** Returns the identity of a caller who is not known: nothing in it was verified, the access key id neither. */
export const unknownIdentity = (accessKeyId?: string): UserIdentity => ({ type: "Unknown", accessKeyId });

const roleId = ({ namespace, name }: AuditRole): string => `${namespace}.${name}`;
