import type { GrantRow } from "../keyring/grant-row.ts";
import { type Action, actions } from "./actions.ts";
import { type Asked, objectionToGrant } from "./decide-access.ts";
import type { GrantIndex } from "./grant-index.ts";
import { statementWord } from "./policy/judge-policy.ts";
import type { Condition, Policy, Statement } from "./policy/policy.ts";
import { rootArn } from "./principal.ts";

/** A user or group to whom RBAC allows a verb on the key. */
export interface RbacSubject {
  /** The ARN by which policies name it. */
  readonly arn: string;
  /** The ARNs of the groups that it always has. */
  readonly groups: readonly string[];
  /** Its name in Kubernetes, such as "Group ops". */
  readonly name: string;
  /** The binding and the role. */
  readonly by: string;
}

/** The facts about a key, with RBAC's rules. */
export interface WhoFacts {
  readonly keyId: GrantRow["keyId"];
  readonly masterKey: NonNullable<Asked["masterKey"]>;
  readonly account: string;
  /** The key's ARN. */
  readonly resource: string;
  /** The key's own policy; "default" leaves everything to RBAC, "malformed" allows nothing. */
  readonly policy: Policy | "default" | "malformed";
  readonly grants: GrantIndex;
  /** Returns the users and groups to whom RBAC allows a verb on the key. */
  readonly subjectsOf: (verb: string) => readonly RbacSubject[];
}

/** Why somebody may do an action: all of a grant, a statement, or a binding. */
export type Way =
  | { readonly kind: "grant"; readonly grant: GrantRow }
  | { readonly kind: "policy"; readonly statement: Statement }
  | { readonly kind: "rbac"; readonly subject: RbacSubject };

/** Somebody who may do an action. */
export interface Allowed {
  /** An ARN; "*" is everybody. */
  readonly principal: string;
  readonly way: Way;
  /** Only if one of these lists of conditions holds; no list if nothing is needed. */
  readonly conditions: readonly (readonly Condition[])[];
  /** The Deny statements that may deny it all the same: by their conditions, or to some of those who are meant. */
  readonly unless: readonly Statement[];
}

/**
 * Returns everybody who may do an action with a key: by grants, by the key policy, and by RBAC if the policy leaves it to
 * the account. Whoever a Deny denies whatever the request is, is left out. `now` is in epoch milliseconds.
 */
export function whoMay(action: Action, facts: WhoFacts, now: number): readonly Allowed[] {
  if (facts.policy === "malformed") return [];
  const found = [...byGrants(action, facts, now), ...byPolicy(action, facts), ...byRbac(action, facts)];
  const denies = denyStatements(action, facts);
  return found.flatMap((allowed) => withoutDenied(allowed, denies, action, facts) ?? []);
}

/** Returns the Deny statements of the key policy that are about an action with the key. */
export const denyStatements = (action: Action, facts: WhoFacts): readonly Statement[] =>
  statementsOf(facts).filter((statement) => statement.effect === "Deny" && isAbout(statement, action, facts));

const statementsOf = ({ policy }: WhoFacts): readonly Statement[] =>
  typeof policy === "string" ? [] : policy.statements;

/** Conditions do not count here, and are told instead. */
const wordFor = (
  statement: Statement,
  action: Action,
  {
    principal,
    groups,
    facts,
  }: Pick<RbacSubject, "groups"> & { readonly principal: string; readonly facts: WhoFacts },
) =>
  statementWord(
    { ...statement, conditions: [] },
    { principal, groups, account: facts.account, action, resource: facts.resource, values: new Map() },
  );

function isAbout(statement: Statement, action: Action, facts: WhoFacts): boolean {
  const word = wordFor(statement, action, { principal: "", groups: [], facts });
  return word !== "other-action" && word !== "other-resource";
}

/** A grant is asked about the request that suits it best. */
function byGrants(action: Action, { grants, keyId, masterKey }: WhoFacts, now: number): Allowed[] {
  return [...grants.ofKey(keyId)].flatMap((grant) =>
    principalsOf(grant, action).flatMap((principal) => {
      const context = grant.constraint?.context ?? {};
      const asked = { principal, action, keyId, masterKey, context, proposed: grant, target: grant };
      if (objectionToGrant(grant, asked, now) !== undefined) return [];
      return { principal, way: { kind: "grant", grant }, conditions: [], unless: [] };
    }),
  );
}

function principalsOf({ granteePrincipal, retiringPrincipal, ended }: GrantRow, action: Action): string[] {
  // A grant that has ended is retired already.
  if (ended !== undefined) return [];
  const retiring = action === "RetireGrant" && retiringPrincipal !== undefined ? [retiringPrincipal] : [];
  return [...new Set([granteePrincipal, ...retiring])];
}

function byPolicy(action: Action, facts: WhoFacts): Allowed[] {
  return allowStatements(action, facts).flatMap((statement) =>
    [...new Set(statement.principals.names)]
      .filter((principal) => principal !== rootArn(facts.account))
      .map((principal) => ({
        ...{ principal, way: { kind: "policy", statement } as const, unless: [] },
        conditions: statement.conditions.length === 0 ? [] : [statement.conditions],
      })),
  );
}

const allowStatements = (action: Action, facts: WhoFacts): readonly Statement[] =>
  statementsOf(facts).filter(
    (statement) => statement.effect === "Allow" && isAbout(statement, action, facts),
  );

function byRbac(action: Action, facts: WhoFacts): Allowed[] {
  const conditions = conditionsOfAccount(action, facts);
  if (conditions === undefined) return [];
  return facts.subjectsOf(actions[action].verb).map((subject) => ({
    ...{ principal: subject.arn, way: { kind: "rbac", subject } as const, conditions, unless: [] },
  }));
}

/** Returns the conditions under which the policy leaves an action to RBAC; undefined if it never does. */
function conditionsOfAccount(action: Action, facts: WhoFacts): Allowed["conditions"] | undefined {
  if (facts.policy === "default") return [];
  const leaving = allowStatements(action, facts).filter(({ principals }) =>
    principals.names.includes(rootArn(facts.account)),
  );
  if (leaving.length === 0) return undefined;
  const lists = leaving.map(({ conditions }) => conditions);
  return lists.some(({ length }) => length === 0) ? [] : lists;
}

/** Returns true if the policy leaves any of the actions to RBAC. */
export const isLeftToRbac = (asked: readonly Action[], facts: WhoFacts): boolean =>
  facts.policy !== "malformed" && asked.some((action) => conditionsOfAccount(action, facts) !== undefined);

function withoutDenied(
  allowed: Allowed,
  denies: readonly Statement[],
  action: Action,
  facts: WhoFacts,
): Allowed | undefined {
  const { principal, way } = allowed;
  const isGroup = principal.includes(":group/");
  const groups = [...(way.kind === "rbac" ? way.subject.groups : []), ...(isGroup ? [principal] : [])];
  const unless: Statement[] = [];
  for (const statement of denies) {
    const denied = wordFor(statement, action, { principal, groups, facts }) === "denies";
    const isOpen = isGroup || principal === "*" || namesGroup(statement);
    // Other groups of the caller may be spared by a NotPrincipal.
    const isCertain = statement.conditions.length === 0 && !(statement.principals.except && isOpen);
    if (denied && isCertain) return undefined;
    if (denied || isOpen) unless.push(statement);
  }
  return { ...allowed, unless };
}

const namesGroup = ({ principals }: Statement): boolean =>
  principals.names.some((name) => name.includes(":group/"));
