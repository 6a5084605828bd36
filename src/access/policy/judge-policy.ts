import { rootArn } from "../principal.ts";
import { contextName } from "./condition-keys.ts";
import { operators } from "./condition-operators.ts";
import type { Condition, Patterns, Policy, Principals, Statement } from "./policy.ts";
import { matchesWildcard } from "./wildcard.ts";

/** A request as a key policy sees it. */
export interface PolicyRequest {
  /** The caller's ARN, and the ARNs of the caller's groups. */
  readonly principal: string;
  readonly groups: readonly string[];
  /** The account of the caller: twelve digits. */
  readonly account: string;
  /** The action without its prefix, such as "Encrypt". */
  readonly action: string;
  /** The key's ARN. */
  readonly resource: string;
  /** The values of condition keys, by `contextName`. A key that the request does not have has none. */
  readonly values: Pick<ReadonlyMap<string, readonly string[]>, "get">;
}

/**
 * The word of a policy about one request. "account" means that the policy leaves it to the account: in this
 * cluster, to RBAC. "none" is the implicit deny.
 */
export type Verdict =
  | { readonly effect: "deny" | "allow" | "account"; readonly statement: string }
  | { readonly effect: "none" };

/**
 * Judges a request by a key policy: an explicit deny, then an allow of the caller, then an allow of the caller's
 * account (IAM User Guide, "Policy evaluation logic"; AWS KMS Developer Guide, "Default key policy").
 */
export function judgePolicy(policy: Policy, request: PolicyRequest): Verdict {
  const words = policy.statements.map((statement) => statementWord(statement, request));
  for (const [word, effect] of PRECEDENCE) {
    const statement = policy.statements[words.indexOf(word)];
    if (statement !== undefined) return { effect, statement: statement.name };
  }
  return { effect: "none" };
}

const PRECEDENCE = [
  ["denies", "deny"],
  ["allows", "allow"],
  ["leaves-to-account", "account"],
] as const;

/** The word of one statement about a request; the last four are why it says nothing about it. */
export type StatementWord =
  | (typeof PRECEDENCE)[number][0]
  | "other-action"
  | "other-resource"
  | "other-principal"
  | Condition;

/** Returns the word of a statement; the condition that the request does not fulfil, if that is why it says nothing. */
export function statementWord(statement: Statement, request: PolicyRequest): StatementWord {
  const { effect, actions, resources, principals, conditions } = statement;
  if (!matchesAction(actions, request.action)) return "other-action";
  if (!matchesAny(resources, (pattern) => matchesWildcard(pattern, request.resource)))
    return "other-resource";
  const unmet = conditions.find((condition) => !holds(condition, request.values, effect));
  if (unmet !== undefined) return unmet;
  if (effect === "Deny") return isDenied(principals, request) ? "denies" : "other-principal";
  if (names(principals, request)) return "allows";
  return principals.names.includes(rootArn(request.account)) ? "leaves-to-account" : "other-principal";
}

/** IAM does not distinguish cases in actions. */
const matchesAction = (actions: Patterns, action: string): boolean =>
  matchesAny(actions, (pattern) => matchesWildcard(pattern.toLowerCase(), `kms:${action}`.toLowerCase()));

const matchesAny = ({ except, patterns }: Patterns, matches: (pattern: string) => boolean): boolean =>
  patterns.some(matches) !== except;

/** Returns true if the caller is named, or a group of it, or everybody is. */
const names = (principals: Principals, { principal, groups }: PolicyRequest): boolean =>
  principals.names.some((name) => name === "*" || name === principal || groups.includes(name));

/**
 * A Deny of an account denies everybody in it. A NotPrincipal spares only a caller that it names together with the
 * caller's account: IAM denies the account otherwise, and with it the caller.
 */
function isDenied(principals: Principals, request: PolicyRequest): boolean {
  const namesAccount = principals.names.includes(rootArn(request.account));
  if (!principals.except) return namesAccount || names(principals, request);
  if (principals.names.includes("*")) return false;
  return !(namesAccount && names(principals, request));
}

/**
 * Returns true if the request fulfils the condition. A key with one value has several if the request has names that
 * differ in case only: then an Allow needs all of them, and one is enough for a Deny.
 */
function holds(condition: Condition, values: PolicyRequest["values"], effect: Statement["effect"]): boolean {
  const { operator, over, ifExists, key, values: wanted } = condition;
  const { negated, matches } = operators[operator];
  const found = values.get(contextName(key)) ?? [];
  if (operator === "Null")
    return wanted.some((one) => (one.toLowerCase() === "true") === (found.length === 0));
  if (found.length === 0) return ifExists || over === "all" || (negated && over === undefined);
  const fits = (value: string): boolean => wanted.some((one) => matches(one, value)) !== negated;
  const isAny = over === "any" || (over === undefined && effect === "Deny");
  return isAny ? found.some(fits) : found.every(fits);
}
