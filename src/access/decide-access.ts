import type { EncryptionContext } from "../crypto/context.ts";
import type { KeyId } from "../crypto/ids.ts";
import type { GrantRow, GrantTerms } from "../keyring/grant-row.ts";
import { type Action, actions, isGrantable } from "./actions.ts";
import type { GrantSource } from "./grant-source.ts";
import { isInTime, isWithin, permits } from "./grant-terms.ts";
import type { Verdict } from "./policy/judge-policy.ts";

/** A request for one permission. */
export interface Asked {
  /** The caller's ARN (`principalArn`). */
  readonly principal: string;
  readonly action: Action;
  /** The key that the request is about; left out if it is about none. */
  readonly keyId?: KeyId | undefined;
  /** The MasterKey of that key. A grant is for a key under its own name only. */
  readonly masterKey?: Pick<GrantRow, "namespace" | "name"> | undefined;
  /** The encryption context of the request; empty if it has none. */
  readonly context: EncryptionContext;
  /** The grant that a CreateGrant is to create. */
  readonly proposed?: GrantTerms | undefined;
  /** The grant that a RetireGrant is to end. */
  readonly target?: Pick<GrantRow, "grantId" | "keyId"> | undefined;
}

/** A grant by a token that this site made (grant-token.ts), as it was verified. */
export interface TokenGrant extends GrantTerms {
  readonly grantId: string;
  /** Epoch milliseconds. */
  readonly issuedAt: number;
}

/** RBAC's answer to the verb of the action. */
export type RbacAnswer = "allowed" | "denied" | "unknown" | "not-asked";

/** The word of the key's policy. "closed" is said of a policy that is malformed: nobody can know what it allows. */
export type PolicyWord = Verdict | { readonly effect: "closed" };

/** The word of the default policy, and about actions that concern no key. */
export const LEFT_TO_ACCOUNT: PolicyWord = { effect: "account", statement: "the default policy" };

export interface AccessFacts {
  readonly policy: PolicyWord;
  readonly grants: GrantSource;
  /** The verified tokens of the request. */
  readonly tokens: readonly TokenGrant[];
  readonly rbac: RbacAnswer;
}

/** The rule that decided. */
export type DecidingRule =
  | { readonly kind: "grant" | "grant-token"; readonly grantId: string }
  /** A statement of the key policy. */
  | { readonly kind: "policy-allow" | "policy-deny"; readonly statement: string }
  /** No grant and no statement of the key policy allows the action, and the policy does not leave it to the account. */
  | { readonly kind: "policy-none" }
  /** The key policy is malformed. */
  | { readonly kind: "policy-closed" }
  | { readonly kind: "rbac"; readonly verb: string }
  /** No rule allows the action. */
  | { readonly kind: "none"; readonly verb: string }
  /** RBAC could not be asked, and nothing else allows the action. */
  | { readonly kind: "rbac-unknown"; readonly verb: string };

export type Decision =
  | { readonly effect: "allow" | "deny"; readonly rule: DecidingRule }
  /** No other rule decides: ask RBAC for this verb and decide again. */
  | { readonly effect: "ask-rbac"; readonly verb: string };

/**
 * How long a token is good by itself. A node that has not heard of the grant after this time has not
 * followed the API server for that long.
 */
export const TOKEN_MILLISECONDS = 5 * 60_000;

/** The clocks of two replicas may differ by this much. */
const CLOCK_MILLISECONDS = 60_000;

type Rule = (asked: Asked, facts: AccessFacts, now: number) => Decision | undefined;

/** The rules in their order; the first that decides counts. RBAC decides only if the policy leaves it to the account. */
const rules: readonly Rule[] = [byExplicitDeny, byGrant, byToken, byPolicy, byRbac];

/**
 * Decides if a principal may do something with a key. Grants only ever allow. Nothing is allowed because
 * something could not be asked. `now` is in epoch milliseconds.
 */
export function decideAccess(asked: Asked, facts: AccessFacts, now: number): Decision {
  for (const rule of rules) {
    const decision = rule(asked, facts, now);
    if (decision !== undefined) return decision;
  }
  return { effect: "deny", rule: { kind: "none", verb: actions[asked.action].verb } };
}

function byExplicitDeny(_: Asked, { policy }: AccessFacts): Decision | undefined {
  if (policy.effect === "closed") return { effect: "deny", rule: { kind: "policy-closed" } };
  if (policy.effect !== "deny") return undefined;
  return { effect: "deny", rule: { kind: "policy-deny", statement: policy.statement } };
}

function byGrant(asked: Asked, { grants }: AccessFacts, now: number): Decision | undefined {
  const { action, keyId, principal, target } = asked;
  if (keyId === undefined || !isGrantable(action)) return undefined;
  if (action === "RetireGrant") return byRetirement(asked, grants.get(target?.grantId ?? ""), now);
  for (const grant of grants.granted(keyId, principal)) {
    if (grant.ended === undefined && isOfMasterKey(grant, asked) && allows(grant, asked, now))
      return { effect: "allow", rule: { kind: "grant", grantId: grant.grantId } };
  }
  return undefined;
}

/** A grant is retired by its retiring principal, or by its grantee if it grants RetireGrant. */
function byRetirement(asked: Asked, grant: GrantRow | undefined, now: number): Decision | undefined {
  if (grant === undefined || grant.keyId !== asked.keyId || !isOfMasterKey(grant, asked)) return undefined;
  if (grant.retiringPrincipal !== asked.principal && !allows(grant, asked, now)) return undefined;
  return { effect: "allow", rule: { kind: "grant", grantId: grant.grantId } };
}

/** A grant of a MasterKey that claims another one's keyId is no grant of that key. */
const isOfMasterKey = (grant: GrantRow, { masterKey }: Asked): boolean =>
  grant.namespace === masterKey?.namespace && grant.masterKey === masterKey.name;

/** A token allows only until this node has heard of its grant: from then on the grant's own row decides. */
function byToken(asked: Asked, { grants, tokens }: AccessFacts, now: number): Decision | undefined {
  if (!isGrantable(asked.action)) return undefined;
  for (const token of tokens) {
    const age = now - token.issuedAt;
    if (age > TOKEN_MILLISECONDS || age < -CLOCK_MILLISECONDS) continue;
    if (asked.action === "RetireGrant" && asked.target?.grantId !== token.grantId) continue;
    if (grants.get(token.grantId) === undefined && mayUse(token, asked, now))
      return { effect: "allow", rule: { kind: "grant-token", grantId: token.grantId } };
  }
  return undefined;
}

const mayUse = (token: TokenGrant, asked: Asked, now: number): boolean =>
  asked.action === "RetireGrant" && token.keyId === asked.keyId && token.retiringPrincipal === asked.principal
    ? true
    : allows(token, asked, now);

function allows(grant: GrantTerms, asked: Asked, now: number): boolean {
  const { action, keyId, principal, context, proposed } = asked;
  if (!isGrantable(action) || grant.keyId !== keyId || grant.granteePrincipal !== principal) return false;
  if (!isInTime(grant, now)) return false;
  // A CreateGrant has no encryption context of its own: the constraints bind the new grant instead.
  if (action === "CreateGrant")
    return grant.operations.includes(action) && proposed !== undefined && isWithin(proposed, grant);
  return permits(grant, action, context);
}

function byPolicy(_: Asked, { policy }: AccessFacts): Decision | undefined {
  if (policy.effect === "account") return undefined;
  if (policy.effect !== "allow") return { effect: "deny", rule: { kind: "policy-none" } };
  return { effect: "allow", rule: { kind: "policy-allow", statement: policy.statement } };
}

function byRbac({ action }: Asked, { rbac }: AccessFacts): Decision | undefined {
  const { verb } = actions[action];
  switch (rbac) {
    case "allowed":
      return { effect: "allow", rule: { kind: "rbac", verb } };
    case "not-asked":
      return { effect: "ask-rbac", verb };
    case "unknown":
      return { effect: "deny", rule: { kind: "rbac-unknown", verb } };
    case "denied":
      return undefined;
  }
}
