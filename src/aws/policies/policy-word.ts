import { LEFT_TO_ACCOUNT, type PolicyWord } from "../../access/decide-access.ts";
import { contextName } from "../../access/policy/condition-keys.ts";
import { judgePolicy, type PolicyRequest, type Verdict } from "../../access/policy/judge-policy.ts";
import type { Policy } from "../../access/policy/policy.ts";
import { groupArn } from "../../access/principal.ts";
import { type AwsSite, arnPrefix } from "../../keys/arn.ts";
import type { Caller } from "../caller.ts";
import type { AwsKeys } from "../keys/aws-keys.ts";
import type { Need, Request } from "../operations/operation.ts";
import { POLICY_NAME } from "./aws-policies.ts";
import { type PolicyQuestion, requestValues } from "./request-values.ts";

/** Returns what a key's policy says of a permission. Throws DependencyTimeoutException if nobody can know it now. */
export function policyWord(request: Request<object>, need: Need, keys: AwsKeys): PolicyWord {
  const { key } = need;
  // An action on the whole account is none of a key's policy.
  if (key === undefined) return LEFT_TO_ACCOUNT;
  const held = keys.policies.of(key);
  switch (held.kind) {
    case "default":
      return LEFT_TO_ACCOUNT;
    case "malformed":
      return { effect: "closed" };
    case "own":
      return judgeQuestion(held.policy, { request, need, key, keys });
  }
}

/** Judges a permission by a policy. */
export const judgeQuestion = (policy: Policy, question: PolicyQuestion): Verdict =>
  judgePolicy(policy, policyRequest(question));

/** Returns a permission that a request needs as a policy sees it. */
export const policyRequest = (question: PolicyQuestion): PolicyRequest => ({
  ...askedBy(question.request.caller, question.keys.site.account),
  action: question.need.action,
  resource: question.keys.arn(question.key),
  values: requestValues(question),
});

/**
 * Judges if the creator of a key could put another policy in place of its first. The key does not exist yet, so that
 * conditions about more than the creator are not met.
 */
export const judgeNewKey = (policy: Policy, caller: Caller, site: AwsSite): Verdict =>
  judgePolicy(policy, {
    ...askedBy(caller, site.account),
    action: "PutKeyPolicy",
    resource: `${arnPrefix(site, "key")}*`,
    values: new Map([
      [contextName("aws:PrincipalArn"), [caller.arn]],
      [contextName("kms:CallerAccount"), [site.account]],
      [contextName("kms:PolicyName"), [POLICY_NAME]],
    ]),
  });

/** Returns the caller as policies name it. */
const askedBy = (
  { arn, groups }: Caller,
  account: string,
): Pick<PolicyRequest, "principal" | "groups" | "account"> => ({
  principal: arn,
  groups: groups.flatMap((group) => groupArn(group, account) ?? []),
  account,
});
