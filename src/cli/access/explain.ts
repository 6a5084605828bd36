import type { Action } from "../../access/actions.ts";
import {
  type AccessFacts,
  type DecidingRule,
  LEFT_TO_ACCOUNT,
  type PolicyWord,
  type RbacAnswer,
} from "../../access/decide-access.ts";
import { type Explanation, explainAccess } from "../../access/explain-access.ts";
import type { PolicyRequest, StatementWord } from "../../access/policy/judge-policy.ts";
import { judgePolicy, statementWord } from "../../access/policy/judge-policy.ts";
import type { Policy, Statement } from "../../access/policy/policy.ts";
import type { Caller } from "../../aws/caller.ts";
import { policyRequest } from "../../aws/policies/policy-word.ts";
import type { EncryptionContext } from "../../crypto/context.ts";
import { type Assumption, withGiven } from "./assumed-values.ts";
import type { GivenValues } from "./given-pairs.ts";
import { type KeyFacts, policyKeysOf } from "./key-facts.ts";

/** A question: may this caller do this with the key? */
export interface AccessAsked {
  readonly caller: Caller;
  readonly action: Action;
  /** The name of the key as a request would have it: an alias counts for kms:RequestAlias. */
  readonly keyName: string;
  /** Undefined if none was given. */
  readonly context: EncryptionContext | undefined;
  readonly given: GivenValues;
  /** The id or the name of the grant that a RetireGrant is to end. */
  readonly grant?: string | undefined;
  /** Epoch milliseconds. */
  readonly now: number;
}

/** A statement of the key's own policy, with its word about the request. */
export interface StatementLook {
  readonly statement: Statement;
  readonly word: StatementWord;
}

/** RBAC's answer, and why it is "unknown". */
export interface AskedRbac {
  readonly answer: Exclude<RbacAnswer, "not-asked">;
  readonly why?: string;
}

/** A question with its answer, and how it came about. */
export interface Explained {
  readonly asked: AccessAsked;
  readonly facts: KeyFacts;
  readonly effect: "allow" | "deny";
  readonly rule: DecidingRule;
  readonly policy: PolicyWord;
  readonly steps: Explanation["steps"];
  readonly grants: Explanation["grants"];
  /** None if the key has the default policy, or a policy that is malformed. */
  readonly statements: readonly StatementLook[];
  readonly rbac: AskedRbac | undefined;
  readonly assumptions: readonly Assumption[];
}

/**
 * Decides as the API does and says how. `askRbac` is asked for a verb if no other rule decides. Throws NotReady if a
 * condition is about details that are not recorded yet.
 */
export async function explain(
  asked: AccessAsked,
  facts: KeyFacts,
  askRbac: (verb: string) => Promise<AskedRbac>,
): Promise<Explained> {
  const { word: policy, statements, assumptions } = policyLook(asked, facts);
  const explained = (rbac: RbacAnswer): Explanation => {
    const known: AccessFacts = { policy, grants: facts.grants, tokens: [], rbac };
    return explainAccess(askedOf(asked, facts), known, asked.now);
  };
  const first = explained("not-asked");
  const rbac = first.decision.effect === "ask-rbac" ? await askRbac(first.decision.verb) : undefined;
  const { decision, steps, grants } = rbac === undefined ? first : explained(rbac.answer);
  const { effect, rule } = decision.effect === "ask-rbac" ? unasked(decision.verb) : decision;
  return { asked, facts, effect, rule, policy, steps, grants, statements, rbac, assumptions };
}

const unasked = (verb: string) => ({ effect: "deny", rule: { kind: "rbac-unknown", verb } }) as const;

const askedOf = ({ caller, action, context = {}, grant }: AccessAsked, { key, grants }: KeyFacts) => {
  const target = [...grants.ofKey(key.keyId)].find(
    ({ grantId, name }) => grantId === grant || name === grant,
  );
  return { principal: caller.arn, action, keyId: key.keyId, masterKey: key, context, target };
};

interface PolicyLook {
  readonly word: PolicyWord;
  readonly statements: readonly StatementLook[];
  readonly assumptions: readonly Assumption[];
}

function policyLook(asked: AccessAsked, facts: KeyFacts): PolicyLook {
  const none = { statements: [], assumptions: [] };
  switch (facts.policy.kind) {
    case "default":
      return { word: LEFT_TO_ACCOUNT, ...none };
    case "malformed":
      return { word: { effect: "closed" }, ...none };
    case "own":
      return ownPolicyLook(facts.policy.policy, asked, facts);
  }
}

function ownPolicyLook(policy: Policy, asked: AccessAsked, facts: KeyFacts): PolicyLook {
  const { action, given, context } = asked;
  const hasContext = context !== undefined;
  const { request, assumptions } = withGiven(requestOf(asked, facts), { action, given, hasContext });
  const statements = policy.statements.map((statement) => ({
    statement,
    word: statementWord(statement, request),
  }));
  return { word: judgePolicy(policy, request), statements, assumptions: assumptions() };
}

const requestOf = ({ caller, action, keyName, context, now }: AccessAsked, facts: KeyFacts): PolicyRequest =>
  policyRequest({
    request: { id: "", caller, input: { KeyId: keyName }, now, origin: { isSecure: true } },
    need: { action, key: facts.key, ...(context !== undefined && { context }) },
    key: facts.key,
    keys: policyKeysOf(facts),
  });
