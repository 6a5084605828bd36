import { describe, expect, test } from "vitest";
import type { EncryptionContext } from "../crypto/context.ts";
import { GRANT_OPERATIONS, type GrantConstraint, type GrantRow } from "../keyring/grant-row.ts";
import { keyId } from "../testing/objects.ts";
import {
  type AccessFacts,
  type Asked,
  decideAccess,
  LEFT_TO_ACCOUNT,
  type PolicyWord,
  TOKEN_MILLISECONDS,
} from "./decide-access.ts";
import { GrantIndex } from "./grant-index.ts";
import { type GrantSource, NO_GRANTS } from "./grant-source.ts";

const NOW = Date.parse("2026-01-02T03:04:05Z");
const APP = "arn:aws:iam::000000000000:role/shop/app";
const OTHER = "arn:aws:iam::000000000000:role/shop/other";
const BOUND: EncryptionContext = { tenant: "a", Purpose: "Ünïcode" };

const grant = (changes: Partial<GrantRow> = {}): GrantRow => ({
  ...{ grantId: "g1", namespace: "shop", name: "grant", masterKey: "orders", keyId: keyId(1) },
  ...{ granteePrincipal: APP, issuingPrincipal: OTHER, operations: GRANT_OPERATIONS, createdAt: 0 },
  ...changes,
});
const indexOf = (...grants: readonly GrantRow[]): GrantIndex => {
  const index = new GrantIndex();
  for (const row of grants) index.put(row);
  return index;
};
const facts = (changes: Partial<AccessFacts> = {}): AccessFacts => ({
  ...{ policy: LEFT_TO_ACCOUNT, grants: NO_GRANTS, tokens: [], rbac: "denied" },
  ...changes,
});
const ask = (changes: Partial<Asked> = {}): Asked => ({
  ...{ principal: APP, action: "Decrypt", keyId: keyId(1), context: {} },
  masterKey: { namespace: "shop", name: "orders" },
  ...changes,
});
const effect = (asked: Asked, given: AccessFacts, now = NOW) => decideAccess(asked, given, now).effect;

/** Each constraint, with contexts that meet it and contexts that do not. */
const constraints: readonly {
  readonly name: string;
  readonly constraint?: GrantConstraint;
  readonly meets: readonly EncryptionContext[];
  readonly fails: readonly EncryptionContext[];
}[] = [
  { name: "no constraint", meets: [{}, BOUND], fails: [] },
  {
    name: "EncryptionContextEquals",
    constraint: { kind: "Equals", context: BOUND },
    meets: [BOUND, { Purpose: "Ünïcode", tenant: "a" }],
    fails: [
      {},
      { tenant: "a" },
      { ...BOUND, more: "b" },
      { ...BOUND, tenant: "A" },
      { tenant: "a", purpose: "Ünïcode" },
      { ...BOUND, Purpose: "Ünïcode".normalize("NFD") },
      { ...BOUND, tenant: "*" },
    ],
  },
  {
    name: "EncryptionContextSubset",
    constraint: { kind: "Subset", context: BOUND },
    meets: [BOUND, { ...BOUND, more: "b" }],
    fails: [
      {},
      { tenant: "a" },
      { ...BOUND, tenant: "A" },
      { ...BOUND, Purpose: "Ünïcode".normalize("NFD") },
    ],
  },
  {
    name: "a wildcard as a value, which is only a character",
    constraint: { kind: "Subset", context: { tenant: "*" } },
    meets: [{ tenant: "*" }],
    fails: [{ tenant: "a" }, {}],
  },
  {
    name: "a name of every object's prototype",
    constraint: { kind: "Subset", context: { constructor: "a" } as unknown as EncryptionContext },
    meets: [{ constructor: "a" } as unknown as EncryptionContext],
    fails: [{}, { toString: "a" } as unknown as EncryptionContext],
  },
];

/** Operations that constraints do not bind, and those that no encryption context decides. */
const UNCONSTRAINED = new Set(["DescribeKey"]);
const ordinary = GRANT_OPERATIONS.filter((operation) => !["CreateGrant", "RetireGrant"].includes(operation));

describe.each(ordinary)("kms:%s by a grant", (action) => {
  describe.each(constraints)("with $name", ({ constraint, meets, fails }) => {
    const row = grant(constraint && { constraint });
    const context = meets[0] ?? {};
    const asked = ask({ action, context });
    test("is allowed for each context that meets it, and the grant is named", () => {
      for (const met of meets) {
        expect(decideAccess(ask({ action, context: met }), facts({ grants: indexOf(row) }), NOW)).toEqual({
          effect: "allow",
          rule: { kind: "grant", grantId: "g1" },
        });
      }
    });
    test("is denied for each context that does not, unless the operation is not bound by it", () => {
      for (const failed of fails) {
        expect(effect(ask({ action, context: failed }), facts({ grants: indexOf(row) }))).toBe(
          UNCONSTRAINED.has(action) ? "allow" : "deny",
        );
      }
    });
    test.each([
      ["expired now", { expiresAt: NOW }],
      ["expired long ago", { expiresAt: 1 }],
      ["revoked", { ended: { phase: "Revoked", at: NOW } }],
      ["retired", { ended: { phase: "Retired", at: NOW } }],
      ["for another key", { keyId: keyId(2) }],
      ["for a MasterKey of another namespace that claims this key", { namespace: "evil" }],
      ["for another MasterKey that claims this key", { masterKey: "copy" }],
      ["for another principal", { granteePrincipal: OTHER }],
      ["for a principal in other case", { granteePrincipal: APP.toUpperCase() }],
      ["for the beginning of the principal", { granteePrincipal: APP.slice(0, -1) }],
      ["for all by a wildcard, which is only a character", { granteePrincipal: "*" }],
      ["for roles by a wildcard", { granteePrincipal: "arn:aws:iam::000000000000:role/*" }],
      ["for the same role of another account", { granteePrincipal: APP.replace("0000:role", "0001:role") }],
      ["without the operation", { operations: GRANT_OPERATIONS.filter((one) => one !== action) }],
      ["without any operation", { operations: [] }],
    ] as const)("is denied if the grant is %s", (_, changes) => {
      expect(effect(asked, facts({ grants: indexOf({ ...row, ...changes }) }))).toBe("deny");
    });
    test("is allowed until its expiry", () => {
      const grants = indexOf({ ...row, expiresAt: NOW + 1 });
      expect(effect(asked, facts({ grants }))).toBe("allow");
    });
  });
});

test("a grant that does not allow does not hide one that does", () => {
  const grants = indexOf(
    grant({ operations: [] }),
    grant({ grantId: "g2" }),
    grant({ grantId: "g3", expiresAt: 1 }),
  );
  expect(decideAccess(ask(), facts({ grants }), NOW)).toEqual({
    effect: "allow",
    rule: { kind: "grant", grantId: "g2" },
  });
});

describe("RBAC", () => {
  test.each([
    ["allowed", { effect: "allow", rule: { kind: "rbac", verb: "decrypt" } }],
    ["denied", { effect: "deny", rule: { kind: "none", verb: "decrypt" } }],
    ["unknown", { effect: "deny", rule: { kind: "rbac-unknown", verb: "decrypt" } }],
    ["not-asked", { effect: "ask-rbac", verb: "decrypt" }],
  ] as const)("%s => decides if no grant does", (rbac, expected) => {
    expect(decideAccess(ask(), facts({ rbac }), NOW)).toEqual(expected);
  });
  test("is not asked if a grant allows", () => {
    expect(effect(ask(), facts({ grants: indexOf(grant()), rbac: "not-asked" }))).toBe("allow");
  });
  test("decides alone over an action that no grant can have", () => {
    const grants = indexOf(grant({ operations: ["ScheduleKeyDeletion" as "Decrypt"] }));
    expect(effect(ask({ action: "ScheduleKeyDeletion" }), facts({ grants }))).toBe("deny");
    expect(effect(ask({ action: "ScheduleKeyDeletion" }), facts({ grants, rbac: "allowed" }))).toBe("allow");
  });
});

describe("a request about no key", () => {
  test("is allowed by no grant", () => {
    expect(effect(ask({ keyId: undefined }), facts({ grants: indexOf(grant()) }))).toBe("deny");
  });
});

describe("kms:RetireGrant", () => {
  const row = grant({ retiringPrincipal: OTHER, operations: ["Decrypt"] });
  const retire = (principal: string, target = "g1", key = keyId(1)) =>
    ask({ action: "RetireGrant", principal, keyId: key, target: { grantId: target, keyId: key } });
  test("is allowed to the retiring principal, and not to another one", () => {
    const grants = indexOf(row);
    expect(effect(retire(OTHER), facts({ grants }))).toBe("allow");
    expect(effect(retire(APP), facts({ grants }))).toBe("deny");
    expect(effect(retire(OTHER, "g2"), facts({ grants }))).toBe("deny");
    expect(effect(retire(OTHER, "g1", keyId(2)), facts({ grants }))).toBe("deny");
  });
  test("is allowed to the grantee of this very grant if it grants RetireGrant, whatever its constraints", () => {
    const own = grant({ operations: ["RetireGrant"], constraint: { kind: "Equals", context: BOUND } });
    const another = grant({ grantId: "g2", operations: ["Decrypt"] });
    expect(effect(retire(APP), facts({ grants: indexOf(own, another) }))).toBe("allow");
    expect(effect(retire(APP, "g2"), facts({ grants: indexOf(own, another) }))).toBe("deny");
  });
});

describe("kms:CreateGrant by a grant", () => {
  const equals: GrantConstraint = { kind: "Equals", context: BOUND };
  const subset: GrantConstraint = { kind: "Subset", context: { tenant: "a" } };
  const parent = grant({ operations: ["CreateGrant", "Decrypt", "Encrypt"], expiresAt: NOW + 10 });
  const child = {
    keyId: keyId(1),
    granteePrincipal: OTHER,
    operations: ["Decrypt"],
    expiresAt: NOW + 10,
  } as const;
  const create = (proposed: Asked["proposed"]) => ask({ action: "CreateGrant", proposed });
  test.each([
    ["the same or less", {}, {}, "allow"],
    ["sooner expiry", {}, { expiresAt: NOW + 1 }, "allow"],
    ["later expiry", {}, { expiresAt: NOW + 11 }, "deny"],
    ["no expiry", {}, { expiresAt: undefined }, "deny"],
    ["an operation more", {}, { operations: ["Decrypt", "Sign"] }, "deny"],
    ["another key", {}, { keyId: keyId(2) }, "deny"],
    ["a constraint of its own", {}, { constraint: equals }, "allow"],
    ["no constraint, under Equals", { constraint: equals }, {}, "deny"],
    ["the same constraint, under Equals", { constraint: equals }, { constraint: equals }, "allow"],
    [
      "Subset of the same pairs, under Equals",
      { constraint: equals },
      { constraint: { ...equals, kind: "Subset" } },
      "deny",
    ],
    [
      "fewer pairs, under Subset",
      { constraint: { kind: "Subset", context: BOUND } },
      { constraint: subset },
      "deny",
    ],
    [
      "more pairs, under Subset",
      { constraint: subset },
      { constraint: { kind: "Subset", context: BOUND } },
      "allow",
    ],
    ["Equals with these pairs, under Subset", { constraint: subset }, { constraint: equals }, "allow"],
    [
      "another value, under Subset",
      { constraint: subset },
      { constraint: { kind: "Equals", context: { tenant: "A" } } },
      "deny",
    ],
    ["no constraint, under Subset", { constraint: subset }, {}, "deny"],
    ["anything, but the parent does not grant CreateGrant", { operations: ["Decrypt"] }, {}, "deny"],
    ["anything, but the parent was revoked", { ended: { phase: "Revoked", at: 1 } }, {}, "deny"],
  ] as const)("with %s => %s, %s, %s", (_, parentChanges, childChanges, expected) => {
    const grants = indexOf({ ...parent, ...(parentChanges as Partial<GrantRow>) });
    const proposed = { ...child, ...childChanges } as NonNullable<Asked["proposed"]>;
    expect(effect(create(proposed), facts({ grants }))).toBe(expected);
  });
  test("without a grant to judge is denied", () => {
    expect(effect(create(undefined), facts({ grants: indexOf(parent) }))).toBe("deny");
  });
});

describe("a grant token", () => {
  const token = { ...grant({ retiringPrincipal: OTHER }), issuedAt: NOW };
  test("allows before this node has heard of its grant, and is named", () => {
    expect(decideAccess(ask(), facts({ tokens: [token] }), NOW)).toEqual({
      effect: "allow",
      rule: { kind: "grant-token", grantId: "g1" },
    });
  });
  test.each([
    ["its grant was revoked", ask(), NOW, [grant({ ended: { phase: "Revoked", at: NOW } })]],
    ["its grant's row does not allow the operation", ask(), NOW, [grant({ operations: ["Encrypt"] })]],
    ["it is too old", ask(), NOW + TOKEN_MILLISECONDS + 1, []],
    ["it comes from the future", ask(), NOW - 3_600_000, []],
    ["another principal shows it", ask({ principal: OTHER }), NOW, []],
    ["it is of another key", ask({ keyId: keyId(2) }), NOW, []],
    ["the request is about no key", ask({ keyId: undefined }), NOW, []],
    ["no grant can allow the action", ask({ action: "ScheduleKeyDeletion" }), NOW, []],
  ] as const)("allows nothing if %s", (_, asked, now, rows) => {
    expect(effect(asked, facts({ tokens: [token], grants: indexOf(...rows) }), now)).toBe("deny");
  });
  test("lets its grant be retired, by those who may", () => {
    const retire = (principal: string, grantId: string) =>
      effect(
        ask({ action: "RetireGrant", principal, target: { grantId, keyId: keyId(1) } }),
        facts({ tokens: [token] }),
      );
    expect([retire(OTHER, "g1"), retire(APP, "g1"), retire(APP, "g2"), retire("arn:x", "g1")]).toEqual([
      "allow",
      "allow",
      "deny",
      "deny",
    ]);
  });
});

test("100,000 grants on 10,000 keys: a decision looks at the ten grants of its key and at no other", () => {
  const index = new GrantIndex();
  for (let n = 0; n < 100_000; n++) {
    const of = keyId(n % 10_000);
    const grantee = `arn:aws:iam::000000000000:role/shop/app-${n}`;
    index.put(grant({ grantId: `g${n}`, keyId: of, granteePrincipal: n % 10 === 0 ? grantee : APP }));
  }
  let seen = 0;
  const counted: GrantSource = {
    get: (id) => index.get(id),
    *granted(key, principal) {
      for (const row of index.granted(key, principal)) {
        seen += 1;
        yield row;
      }
    },
  };
  const denied = ask({ keyId: keyId(9_999), context: {}, principal: OTHER });
  expect(effect(denied, facts({ grants: counted }))).toBe("deny");
  expect(seen).toBe(0);
  const unlike = ask({ keyId: keyId(9_999), action: "Decrypt" });
  expect(effect(unlike, facts({ grants: counted }))).toBe("allow");
  expect(seen).toBe(1);
  index.delete("g9999");
  for (let n = 1; n < 10; n++) index.delete(`g${n * 10_000 + 9_999}`);
  expect([...index.ofKey(keyId(9_999))]).toEqual([]);
  expect(index.size).toBe(99_990);
});

describe("with a key policy", () => {
  const granted = { grants: indexOf(grant()) };
  const word = (effect: "deny" | "allow" | "account"): PolicyWord => ({ effect, statement: "s" });
  const decided = (policy: PolicyWord, more: Partial<AccessFacts>) => {
    const decision = decideAccess(ask(), facts({ policy, ...more }), NOW);
    return decision.effect === "ask-rbac" ? "ask" : `${decision.effect} by ${decision.rule.kind}`;
  };
  test.each<[string, PolicyWord, Partial<AccessFacts>, string]>([
    [
      "an explicit deny comes before a grant and RBAC",
      word("deny"),
      { ...granted, rbac: "allowed" },
      "deny by policy-deny",
    ],
    ["a grant comes before the policy's allow", word("allow"), granted, "allow by grant"],
    ["a grant allows what the policy does not name", { effect: "none" }, granted, "allow by grant"],
    ["an allow decides without RBAC", word("allow"), { rbac: "not-asked" }, "allow by policy-allow"],
    [
      "an allow decides while RBAC cannot be asked",
      word("allow"),
      { rbac: "unknown" },
      "allow by policy-allow",
    ],
    [
      "a policy that does not leave it to the account => RBAC does not count",
      { effect: "none" },
      { rbac: "allowed" },
      "deny by policy-none",
    ],
    ["such a policy => RBAC is not asked", { effect: "none" }, { rbac: "not-asked" }, "deny by policy-none"],
    ["the account is left to decide => RBAC is asked", word("account"), { rbac: "not-asked" }, "ask"],
    ["the account is left to decide => RBAC allows", word("account"), { rbac: "allowed" }, "allow by rbac"],
    [
      "a malformed policy => nothing is allowed",
      { effect: "closed" },
      { ...granted, rbac: "allowed" },
      "deny by policy-closed",
    ],
  ])("%s", (_, policy, more, expected) => {
    expect(decided(policy, more)).toBe(expected);
  });
});
