import { parsePrincipal, principalArn } from "../access/principal.ts";

/** The authenticated author of a request. */
export interface Caller {
  /** The principal, for example arn:aws:iam::000000000000:user/alice. */
  readonly arn: string;
  /** The name of the Kubernetes user. */
  readonly user: string;
  /** The Kubernetes groups of the user. */
  readonly groups: readonly string[];
  /** The namespace that the caller's bare aliases, ListKeys and ListAliases mean: the caller's account. */
  readonly namespace: string;
  /** The name of the session, if the caller has one. */
  readonly session?: string;
}

/** A user whom Kubernetes knows. */
export interface KubernetesUser {
  readonly user: string;
  readonly groups: readonly string[];
}

/** The account of the ARNs, and the namespace of users that are no ServiceAccounts. */
export interface CallerSite {
  readonly account: string;
  readonly namespace: string;
}

/**
 * Returns a user as a caller: a ServiceAccount's namespace is its own. Returns undefined if the user has no ARN of
 * a length that AWS accepts, because no grant could name such a user, and a ServiceAccount would not be read as one.
 */
export function callerOf({ user, groups }: KubernetesUser, site: CallerSite): Caller | undefined {
  const arn = principalArn(user, site.account);
  const principal = arn === undefined ? undefined : parsePrincipal(arn, site.account);
  if (arn === undefined || principal === undefined) return undefined;
  return { arn, user, groups, namespace: principal.kind === "role" ? principal.namespace : site.namespace };
}
