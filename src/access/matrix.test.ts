import { describe, expect, test } from "vitest";
import { GRANT_OPERATIONS, type GrantOperation, type GrantRow } from "../keyring/grant-row.ts";
import { keyId } from "../testing/objects.ts";
import { type Action, actions } from "./actions.ts";
import {
  type AccessFacts,
  type Asked,
  decideAccess,
  LEFT_TO_ACCOUNT,
  TOKEN_MILLISECONDS,
} from "./decide-access.ts";
import { GrantIndex } from "./grant-index.ts";
import { judgePolicy } from "./policy/judge-policy.ts";
import { readPolicy } from "./policy/read-policy.ts";

const NOW = Date.parse("2026-01-02T03:04:05Z");
const ACCOUNT = "000000000000";
const arn = (resource: string) => `arn:aws:iam::${ACCOUNT}:${resource}`;
const [APP, OTHER, ROOT] = [arn("role/shop/app"), arn("role/shop/other"), arn("root")];

/** One way in which a caller comes to a permission. The way of being denied that is tried may spoil it. */
interface Way {
  /** The operations that can be allowed so. */
  readonly of: (action: Action) => boolean;
  /** The rule that decides if nothing spoils it, and if something does. */
  readonly rule: string;
  readonly spoilt: string;
  readonly policy?: (action: Action, spoil: Spoil) => readonly object[];
  readonly grants?: (action: GrantOperation, spoil: Spoil) => readonly GrantRow[];
  readonly tokens?: (action: GrantOperation, spoil: Spoil) => AccessFacts["tokens"];
  readonly rbac?: AccessFacts["rbac"];
}

type Spoil =
  | "nothing"
  | "an explicit deny"
  | "another context"
  | "another principal"
  | "another key"
  | "its end"
  | "its revocation";

const terms = (action: GrantOperation) => ({
  ...{ grantId: "g1", keyId: keyId(1), granteePrincipal: APP, operations: [action] },
  constraint: { kind: "Subset", context: { tenant: "a" } } as const,
});
const row = (action: GrantOperation, changes: Partial<GrantRow> = {}): GrantRow => ({
  ...{ namespace: "shop", name: "grant", masterKey: "orders", issuingPrincipal: OTHER, createdAt: 0 },
  ...terms(action),
  ...changes,
});
const revoked = { ended: { phase: "Revoked", at: NOW - 1 } } as const;
const isGranted = (action: Action): action is GrantOperation =>
  GRANT_OPERATIONS.some((one) => one === action) && !["CreateGrant", "RetireGrant"].includes(action);
const allowing = (action: Action, until: string) => ({
  ...{ Sid: "allow", Effect: "Allow", Principal: { AWS: APP }, Action: `kms:${action}`, Resource: "*" },
  Condition: {
    StringEquals: { "kms:EncryptionContext:tenant": "a" },
    DateLessThan: { "aws:CurrentTime": until },
  },
});

const ways: Readonly<Record<string, Way>> = {
  "the key policy": {
    ...{ of: () => true, rule: "allow policy-allow", spoilt: "deny policy-none" },
    policy: (action, spoil) =>
      spoil === "its revocation"
        ? [allowing("CancelKeyDeletion", "2000-01-01T00:00:00Z")]
        : [allowing(action, spoil === "its end" ? "2026-01-01T00:00:00Z" : "2027-01-01T00:00:00Z")],
  },
  "a grant": {
    ...{ of: isGranted, rule: "allow grant", spoilt: "deny none" },
    grants: (action, spoil) => [
      row(action, spoil === "its end" ? { expiresAt: NOW } : spoil === "its revocation" ? revoked : {}),
    ],
  },
  "a token": {
    ...{ of: isGranted, rule: "allow grant-token", spoilt: "deny none" },
    grants: (action, spoil) => (spoil === "its revocation" ? [row(action, revoked)] : []),
    tokens: (action, spoil) => [
      { ...terms(action), issuedAt: spoil === "its end" ? NOW - TOKEN_MILLISECONDS - 1 : NOW },
    ],
  },
  "a grant in spite of a policy that names nobody": {
    ...{ of: isGranted, rule: "allow grant", spoilt: "deny policy-none" },
    policy: () => [{ Effect: "Allow", Principal: { AWS: OTHER }, Action: "s3:*", Resource: "*" }],
    grants: (action, spoil) => [
      row(action, spoil === "its end" ? { expiresAt: NOW } : spoil === "its revocation" ? revoked : {}),
    ],
  },
};

const spoils: readonly Spoil[] = [
  ...(["nothing", "an explicit deny", "another context", "another principal"] as const),
  ...(["another key", "its end", "its revocation"] as const),
];

/** Decides as the API does: the policy belongs to key 1, and other keys have the default policy. */
function decided(action: Action, way: Way, spoil: Spoil, rbac: AccessFacts["rbac"]): string {
  const context = { tenant: spoil === "another context" ? "b" : "a" };
  const principal = spoil === "another principal" ? OTHER : APP;
  const id = keyId(spoil === "another key" ? 2 : 1);
  const asked: Asked = {
    ...{ principal, action, keyId: id, context },
    masterKey: { namespace: "shop", name: id === keyId(1) ? "orders" : "bills" },
  };
  const grants = new GrantIndex();
  if (isGranted(action)) for (const grant of way.grants?.(action, spoil) ?? []) grants.put(grant);
  const tokens = isGranted(action) ? (way.tokens?.(action, spoil) ?? []) : [];
  const decision = decideAccess(asked, { policy: word(asked, way, spoil), grants, tokens, rbac }, NOW);
  return decision.effect === "ask-rbac" ? decision.effect : `${decision.effect} ${decision.rule.kind}`;
}

function word({ principal, action, keyId: id, context }: Asked, way: Way, spoil: Spoil) {
  const own = way.policy?.(action, spoil);
  const account = { Effect: "Allow", Principal: { AWS: ROOT }, Action: "kms:*", Resource: "*" };
  const deny = { ...account, Effect: "Deny", Principal: { AWS: APP } };
  const Statement = [...(own ?? [account]), ...(spoil === "an explicit deny" ? [deny] : [])];
  if (id !== keyId(1)) return LEFT_TO_ACCOUNT;
  return judgePolicy(readPolicy({ Statement }, ACCOUNT), {
    ...{
      principal,
      groups: [],
      account: ACCOUNT,
      action,
      resource: `arn:aws:kms:us-local-1:${ACCOUNT}:key/${id}`,
    },
    values: new Map([
      ["kms:encryptioncontext:tenant", Object.values(context)],
      ["aws:currenttime", [new Date(NOW).toISOString()]],
    ]),
  });
}

/** A way that is spoilt allows nothing; what is about another key is decided by that key's policy, the default one. */
function expected(action: Action, way: Way, spoil: Spoil): string {
  if (spoil === "nothing") return way.rule;
  if (spoil === "an explicit deny") return "deny policy-deny";
  if (spoil === "another key") return "deny none";
  // AWS KMS: constraints do not bind DescribeKey.
  if (spoil === "another context" && action === "DescribeKey" && way.grants !== undefined) return way.rule;
  return way.spoilt;
}

const all = Object.keys(actions) as Action[];

describe.each(Object.entries(ways))("by %s", (_, way) => {
  const possible = all.filter(way.of);
  test.each(spoils)("each operation, with %s, is decided by the rule that is right", (spoil) => {
    for (const action of possible)
      expect([action, decided(action, way, spoil, "denied")]).toEqual([action, expected(action, way, spoil)]);
  });
});

describe("by RBAC", () => {
  const byDefault: Way = { of: () => true, rule: "allow rbac", spoilt: "deny none" };
  const closed: Way = {
    ...byDefault,
    policy: () => [{ Effect: "Deny", Principal: { AWS: OTHER }, Action: "s3:*", Resource: "*" }],
  };
  test.each<[string, Way, Spoil, AccessFacts["rbac"], string]>([
    ["the default policy leaves it to RBAC", byDefault, "nothing", "allowed", "allow rbac"],
    ["RBAC denies", byDefault, "nothing", "denied", "deny none"],
    ["RBAC cannot be asked", byDefault, "nothing", "unknown", "deny rbac-unknown"],
    ["RBAC has not been asked", byDefault, "nothing", "not-asked", "ask-rbac"],
    ["an explicit deny comes before RBAC", byDefault, "an explicit deny", "allowed", "deny policy-deny"],
    ["a policy that does not leave it to the account", closed, "nothing", "allowed", "deny policy-none"],
    ["such a policy, and RBAC cannot be asked", closed, "nothing", "unknown", "deny policy-none"],
  ])("each operation: %s", (_, way, spoil, rbac, rule) => {
    for (const action of all) expect([action, decided(action, way, spoil, rbac)]).toEqual([action, rule]);
  });
});
