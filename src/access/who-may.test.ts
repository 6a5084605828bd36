import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { GrantOperation, GrantRow } from "../keyring/grant-row.ts";
import { ACCOUNT, APP, grantRow } from "../testing/grants.ts";
import { keyId } from "../testing/objects.ts";
import type { Action } from "./actions.ts";
import { decideAccess, LEFT_TO_ACCOUNT } from "./decide-access.ts";
import { GrantIndex } from "./grant-index.ts";
import { judgePolicy } from "./policy/judge-policy.ts";
import { readPolicy } from "./policy/read-policy.ts";
import { isLeftToRbac, type RbacSubject, type WhoFacts, whoMay } from "./who-may.ts";

const NOW = Date.parse("2026-01-02T03:04:05Z");
const arn = (resource: string) => `arn:aws:iam::${ACCOUNT}:${resource}`;
const [ROOT, ALICE, BOB, OPS] = [arn("root"), arn("user/alice"), arn("user/bob"), arn("group/ops")];
const KEY = { namespace: "apps", name: "secrets" };
const RESOURCE = `arn:aws:kms:us-local-1:${ACCOUNT}:key/${keyId(1)}`;

const subject = (name: string, groups: readonly string[] = []): RbacSubject => ({
  ...{ arn: name, groups, name, by: "a binding" },
});

function facts({
  statements,
  grants = [],
  rbac = [],
}: {
  readonly statements?: readonly object[] | "malformed";
  readonly grants?: readonly GrantRow[];
  readonly rbac?: readonly RbacSubject[];
}): WhoFacts {
  const index = new GrantIndex();
  for (const grant of grants) index.put(grant);
  return {
    ...{ keyId: keyId(1), masterKey: KEY, account: ACCOUNT, resource: RESOURCE, grants: index },
    policy:
      statements === undefined
        ? "default"
        : statements === "malformed"
          ? statements
          : readPolicy({ Statement: statements }, ACCOUNT),
    subjectsOf: (verb) => (verb === "encrypt" ? rbac : []),
  };
}

const allow = (...names: readonly string[]) => ({
  ...{ Sid: "a", Effect: "Allow", Principal: { AWS: names }, Action: "kms:Encrypt", Resource: "*" },
});
const deny = (...names: readonly string[]) => ({ ...allow(...names), Sid: "d", Effect: "Deny" });
const Condition = { StringEquals: { "kms:EncryptionContext:tenant": "a" } };
const grant = (changes: Partial<GrantRow> = {}) => grantRow(1, { operations: ["Encrypt"], ...changes });

/** Returns everybody who may encrypt, with what they need in brackets. */
const who = (given: WhoFacts, action: Action = "Encrypt") =>
  whoMay(action, given, NOW).map(({ principal, way, conditions, unless }) => {
    const needs = [
      ...conditions.map((list) => list.map(({ key }) => key).join()),
      ...unless.map(({ name }) => name),
    ];
    return `${way.kind} ${principal.split(":").at(-1)}${needs.length > 0 ? ` [${needs.join()}]` : ""}`;
  });

describe("who may encrypt", () => {
  const rbac = [subject(ALICE), subject(OPS, [OPS])];
  test.each<[string, WhoFacts, readonly string[]]>([
    [
      "the default policy: RBAC and grants",
      facts({ rbac, grants: [grant()] }),
      ["grant role/shop/app", "rbac user/alice", "rbac group/ops"],
    ],
    ["a malformed policy: nobody", facts({ statements: "malformed", rbac, grants: [grant()] }), []],
    ["a policy without the account: no RBAC", facts({ statements: [allow(BOB)], rbac }), ["policy user/bob"]],
    [
      "both",
      facts({ statements: [allow(ROOT, BOB)], rbac: [subject(ALICE)] }),
      ["policy user/bob", "rbac user/alice"],
    ],
    [
      "a denied user is left out",
      facts({ statements: [allow(ROOT, BOB), deny(BOB, ALICE)], rbac: [subject(ALICE)] }),
      [],
    ],
    ["a denied account: nobody", facts({ statements: [allow(BOB), deny(ROOT)], grants: [grant()] }), []],
    [
      "a conditional Deny",
      facts({ statements: [allow(BOB), { ...deny("*"), Condition }] }),
      ['policy user/bob ["d"]'],
    ],
    ["everybody, and somebody is denied", facts({ statements: [allow("*"), deny(BOB)] }), ['policy * ["d"]']],
    [
      "a denied group: users may be in it",
      facts({ statements: [allow(BOB), deny(OPS)] }),
      ['policy user/bob ["d"]'],
    ],
    [
      "a subject's own group is denied",
      facts({ statements: [allow(ROOT), deny(OPS)], rbac: [subject(ALICE, [OPS])] }),
      [],
    ],
    [
      "an Allow with a condition",
      facts({ statements: [{ ...allow(BOB), Condition }] }),
      ["policy user/bob [kms:EncryptionContext:tenant]"],
    ],
    [
      "RBAC by a condition",
      facts({ statements: [{ ...allow(ROOT), Condition }], rbac: [subject(ALICE)] }),
      ["rbac user/alice [kms:EncryptionContext:tenant]"],
    ],
    [
      "a bound grant",
      facts({ grants: [grant({ constraint: { kind: "Equals", context: { a: "b" } } })] }),
      ["grant role/shop/app"],
    ],
    [
      "no grant that is over",
      facts({
        grants: [grant({ expiresAt: NOW }), grant({ grantId: "2", ended: { phase: "Revoked", at: 0 } })],
      }),
      [],
    ],
    ["no grant of another MasterKey", facts({ grants: [grant({ masterKey: "bills" })] }), []],
  ])("%s", (_, given, expected) => {
    expect(who(given)).toEqual(expected);
  });

  test("a grant is retired by its retiring principal, and by a grantee who may", () => {
    const grants = [grant({ retiringPrincipal: BOB, operations: ["Encrypt", "RetireGrant"] })];
    expect(who(facts({ grants }), "RetireGrant")).toEqual(["grant role/shop/app", "grant user/bob"]);
  });

  test("RBAC is asked only if the policy leaves an operation to it", () => {
    expect(isLeftToRbac(["Encrypt"], facts({}))).toBe(true);
    expect(isLeftToRbac(["Encrypt"], facts({ statements: "malformed" }))).toBe(false);
    expect(isLeftToRbac(["Decrypt"], facts({ statements: [allow(ROOT)] }))).toBe(false);
    expect(isLeftToRbac(["Decrypt", "Encrypt"], facts({ statements: [allow(ROOT)] }))).toBe(true);
  });
});

const name = fc.constantFrom(ALICE, BOB, APP, ROOT, "*");
const statement = fc
  .record({
    names: fc.array(name, { minLength: 1, maxLength: 3 }),
    effect: fc.constantFrom("Allow", "Deny"),
    except: fc.boolean(),
    action: fc.constantFrom("kms:Encrypt", "kms:*", "kms:Decrypt"),
  })
  .map(({ names, effect, except, action }) => ({
    ...{ Effect: effect, Action: action, Resource: "*" },
    ...(except && effect === "Deny" ? { NotPrincipal: { AWS: names } } : { Principal: { AWS: names } }),
  }));
const grants = fc.array(
  fc
    .record({
      granteePrincipal: fc.constantFrom(ALICE, BOB, APP),
      operations: fc.subarray<GrantOperation>(["Encrypt", "Decrypt"], { minLength: 1 }),
      expiresAt: fc.constantFrom(NOW, NOW + 1),
    })
    .map((changes) => grant(changes)),
  { maxLength: 2 },
);

test("whatever the policy, the grants and RBAC are => whoever is allowed is in the list, and nobody else", () => {
  const seen = { allowed: 0, denied: 0 };
  fc.assert(
    fc.property(
      fc.option(fc.array(statement, { minLength: 1, maxLength: 4 }), { nil: undefined }),
      grants,
      fc.subarray([ALICE, BOB, APP]),
      fc.constantFrom(ALICE, BOB, APP),
      (statements, rows, rbac, principal) => {
        const named = rows.map((row, at) => ({ ...row, grantId: String(at) }));
        const given = facts({
          ...(statements && { statements }),
          grants: named,
          rbac: rbac.map((one) => subject(one)),
        });
        const request = {
          principal,
          groups: [],
          account: ACCOUNT,
          action: "Encrypt",
          resource: RESOURCE,
          values: new Map(),
        };
        const policy =
          typeof given.policy === "string" ? LEFT_TO_ACCOUNT : judgePolicy(given.policy, request);
        const asked = { principal, action: "Encrypt", keyId: keyId(1), masterKey: KEY, context: {} } as const;
        const answer = rbac.includes(principal) ? "allowed" : "denied";
        const { effect } = decideAccess(
          asked,
          { policy, grants: given.grants, tokens: [], rbac: answer },
          NOW,
        );
        const rows2 = whoMay("Encrypt", given, NOW);
        const isListed = rows2.some((row) => row.principal === principal);
        const byAll = rows2.some(
          (row) => row.principal === "*" && (row.unless.length === 0 || policy.effect !== "deny"),
        );
        expect(isListed || byAll).toBe(effect === "allow");
        seen[effect === "allow" ? "allowed" : "denied"] += 1;
      },
    ),
    { numRuns: 5_000 },
  );
  expect(Math.min(seen.allowed, seen.denied)).toBeGreaterThan(500);
});
