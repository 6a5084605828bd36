import { parsePrincipal, principalArn } from "../../access/principal.ts";
import { type Caller, callerOf } from "../../aws/caller.ts";
import { printable } from "../../printable.ts";
import { UsageError } from "../command.ts";

/** Kubernetes itself has no such limit; an ARN of a longer name is refused. */
const MAX_LENGTH = 1_024;
const MOST_GROUPS = 1_000;
/** The namespace of callers that are no ServiceAccounts. No decision about a key depends on it. */
const NAMESPACE = "default";

/**
 * Returns the caller that a principal is: an ARN of this account, or the name of a Kubernetes user. A ServiceAccount
 * of a cluster also has the groups that the API server gives it. Throws UsageError if nobody comes as this principal.
 */
export function callerNamed(
  text: string,
  groups: readonly string[],
  { account, isCluster }: { readonly account: string; readonly isCluster: boolean },
): Caller {
  if (text.length > MAX_LENGTH || groups.length > MOST_GROUPS || groups.some(isTooLong))
    throw new UsageError(
      `--as and --as-group take up to ${MAX_LENGTH} characters, and ${MOST_GROUPS} groups`,
    );
  const user = text.startsWith("arn:") ? userOf(text, account) : text;
  const caller = callerOf(
    { user, groups: [...groups, ...(isCluster ? groupsOf(user) : [])] },
    {
      account,
      namespace: NAMESPACE,
    },
  );
  if (caller !== undefined) return caller;
  throw new UsageError(`--as: user "${printable(user, 128)}" has no ARN, so that nobody comes as this user`);
}

const isTooLong = (group: string): boolean => group.length > MAX_LENGTH;

/** Returns the user of an ARN: `principalArn` the other way round. */
function userOf(arn: string, account: string): string {
  const principal = parsePrincipal(arn, account);
  if (principal?.kind === "role") return `system:serviceaccount:${principal.namespace}:${principal.name}`;
  if (principal?.kind === "user") {
    const user = decoded(principal.name);
    if (user !== undefined && principalArn(user, account) === arn) return user;
  }
  throw new UsageError(
    `--as: nobody comes as "${printable(arn, 256)}"; name arn:aws:iam::${account}:role/NAMESPACE/SERVICEACCOUNT, arn:aws:iam::${account}:user/NAME, or a user of Kubernetes`,
  );
}

function decoded(name: string): string | undefined {
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}

/** Returns the groups that a user always has by a TokenReview: those of a ServiceAccount. */
export function groupsOf(user: string): readonly string[] {
  const [, namespace] = /^system:serviceaccount:([a-z0-9-]+):[a-z0-9.-]+$/.exec(user) ?? [];
  if (namespace === undefined) return [];
  return ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"];
}
