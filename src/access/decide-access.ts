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

type Rule<Answer> = (asked: Asked, facts: AccessFacts, now: number) => Answer;

/** The rules before RBAC, in their order. The first that decides counts. */
export const earlierRules: readonly {
  readonly name: "explicit-deny" | "grants" | "tokens" | "policy";
  readonly decide: Rule<Decision | undefined>;
}[] = [
  { name: "explicit-deny", decide: byExplicitDeny },
  { name: "grants", decide: byGrant },
  { name: "tokens", decide: byToken },
  { name: "policy", decide: byPolicy },
];

/**
 * Decides if a principal may do something with a key. Grants only ever allow, and RBAC decides only if the policy
 * leaves it to the account. Nothing is allowed because something could not be asked. `now` is in epoch milliseconds.
 */
export function decideAccess(asked: Asked, facts: AccessFacts, now: number): Decision {
  for (const { decide } of earlierRules) {
    const decision = decide(asked, facts, now);
    if (decision !== undefined) return decision;
  }
  return byRbac(asked, facts);
}

function byExplicitDeny(_: Asked, { policy }: AccessFacts): Decision | undefined {
  if (policy.effect === "closed") return { effect: "deny", rule: { kind: "policy-closed" } };
  if (policy.effect !== "deny") return undefined;
  return { effect: "deny", rule: { kind: "policy-deny", statement: policy.statement } };
}

function byGrant(asked: Asked, { grants }: AccessFacts, now: number): Decision | undefined {
  for (const grant of grantsToLookAt(asked, grants)) {
    if (objectionToGrant(grant, asked, now) === undefined)
      return { effect: "allow", rule: { kind: "grant", grantId: grant.grantId } };
  }
  return undefined;
}

/** Returns the grants that could allow the action: those of the key to the principal, or the grant to retire. */
export function grantsToLookAt(
  { action, keyId, principal, target }: Asked,
  grants: GrantSource,
): Iterable<GrantRow> {
  if (keyId === undefined || !isGrantable(action)) return [];
  return action === "RetireGrant"
    ? present(grants.get(target?.grantId ?? ""))
    : grants.granted(keyId, principal);
}

const present = (grant: GrantRow | undefined): readonly GrantRow[] => (grant === undefined ? [] : [grant]);

/** The reason why a grant does not allow an action. */
export type GrantObjection =
  | "ended"
  | "other-master-key"
  | "other-key"
  | "other-principal"
  | "expired"
  | "operation-not-granted"
  | "other-context"
  | "wider-grant";

/** Returns the first reason why a grant does not allow the action; undefined if it allows it. */
export function objectionToGrant(grant: GrantRow, asked: Asked, now: number): GrantObjection | undefined {
  // A grant of a MasterKey that claims another one's keyId is no grant of that key.
  if (grant.namespace !== asked.masterKey?.namespace || grant.masterKey !== asked.masterKey.name)
    return "other-master-key";
  if (asked.action === "RetireGrant") return objectionToRetirement(grant, asked, now);
  return grant.ended === undefined ? objectionToTerms(grant, asked, now) : "ended";
}

/** A grant is retired by its retiring principal, or by its grantee if it grants RetireGrant. */
function objectionToRetirement(grant: GrantTerms, asked: Asked, now: number): GrantObjection | undefined {
  const mayRetire = grant.keyId === asked.keyId && grant.retiringPrincipal === asked.principal;
  return mayRetire ? undefined : objectionToTerms(grant, asked, now);
}

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
  (asked.action === "RetireGrant" ? objectionToRetirement : objectionToTerms)(token, asked, now) ===
  undefined;

function objectionToTerms(grant: GrantTerms, asked: Asked, now: number): GrantObjection | undefined {
  const { action, keyId, principal, context, proposed } = asked;
  if (grant.keyId !== keyId) return "other-key";
  if (grant.granteePrincipal !== principal) return "other-principal";
  if (!isInTime(grant, now)) return "expired";
  if (!isGrantable(action) || !grant.operations.includes(action)) return "operation-not-granted";
  // A CreateGrant has no encryption context of its own: the constraints bind the new grant instead.
  if (action === "CreateGrant")
    return proposed !== undefined && isWithin(proposed, grant) ? undefined : "wider-grant";
  return permits(grant, action, context) ? undefined : "other-context";
}

function byPolicy(_: Asked, { policy }: AccessFacts): Decision | undefined {
  if (policy.effect === "account") return undefined;
  if (policy.effect !== "allow") return { effect: "deny", rule: { kind: "policy-none" } };
  return { effect: "allow", rule: { kind: "policy-allow", statement: policy.statement } };
}

/** The last rule. */
export function byRbac({ action }: Pick<Asked, "action">, { rbac }: Pick<AccessFacts, "rbac">): Decision {
  const { verb } = actions[action];
  switch (rbac) {
    case "allowed":
      return { effect: "allow", rule: { kind: "rbac", verb } };
    case "not-asked":
      return { effect: "ask-rbac", verb };
    case "unknown":
      return { effect: "deny", rule: { kind: "rbac-unknown", verb } };
    case "denied":
      return { effect: "deny", rule: { kind: "none", verb } };
  }
}
