import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GRANT_OPERATIONS, type GrantRow } from "../keyring/grant-row.ts";
import { APP, grantRow } from "../testing/grants.ts";
import { keyId } from "../testing/objects.ts";
import { type Action, actions } from "./actions.ts";
import { type AccessFacts, type Asked, decideAccess, LEFT_TO_ACCOUNT } from "./decide-access.ts";
import { explainAccess, type Step } from "./explain-access.ts";
import { GrantIndex } from "./grant-index.ts";

const NOW = Date.parse("2026-01-02T03:04:05Z");
const OTHER = APP.replace("app", "other");
const KEY = { namespace: "apps", name: "secrets" };

const asked = (changes: Partial<Asked> = {}): Asked => ({
  ...{ principal: APP, action: "Encrypt", keyId: keyId(1), masterKey: KEY, context: { tenant: "a" } },
  ...changes,
});
const facts = (grants: readonly GrantRow[], changes: Partial<AccessFacts> = {}): AccessFacts => {
  const index = new GrantIndex();
  for (const grant of grants) index.put(grant);
  return { policy: LEFT_TO_ACCOUNT, grants: index, tokens: [], rbac: "denied", ...changes };
};
const grant = (changes: Partial<GrantRow> = {}): GrantRow =>
  grantRow(1, { operations: ["Encrypt"], ...changes });

describe("what each rule answered", () => {
  test.each<[string, AccessFacts, readonly Step["outcome"][]]>([
    ["an explicit deny", facts([grant()], { policy: { effect: "deny", statement: "s" } }), ["deny"]],
    ["a malformed policy", facts([grant()], { policy: { effect: "closed" } }), ["deny"]],
    ["a grant", facts([grant()]), ["passes", "allow"]],
    [
      "a statement",
      facts([], { policy: { effect: "allow", statement: "s" } }),
      ["passes", "passes", "passes", "allow"],
    ],
    [
      "a policy that allows nothing",
      facts([], { policy: { effect: "none" }, rbac: "allowed" }),
      ["passes", "passes", "passes", "deny"],
    ],
    ["RBAC", facts([], { rbac: "allowed" }), ["passes", "passes", "passes", "passes", "allow"]],
    ["nothing", facts([]), ["passes", "passes", "passes", "passes", "deny"]],
  ])("%s decides => no later rule is reached", (_, given, outcomes) => {
    const { steps } = explainAccess(asked(), given, NOW);
    expect(steps.map(({ rule }) => rule)).toEqual(["explicit-deny", "grants", "tokens", "policy", "rbac"]);
    const unreached = Array.from({ length: 5 - outcomes.length }, () => "not-reached");
    expect(steps.map(({ outcome }) => outcome)).toEqual([...outcomes, ...unreached]);
  });
});

describe("why a grant does not allow the action", () => {
  test.each<[string, Partial<GrantRow>, Partial<Asked>]>([
    ["ended", { ended: { phase: "Revoked", at: 0 } }, {}],
    ["other-master-key", { masterKey: "bills" }, {}],
    ["expired", { expiresAt: NOW }, {}],
    ["operation-not-granted", { operations: ["Decrypt"] }, {}],
    ["other-context", { constraint: { kind: "Subset", context: { tenant: "b" } } }, {}],
    ["other-context", { constraint: { kind: "Equals", context: {} } }, {}],
    ["wider-grant", { operations: ["CreateGrant", "Encrypt"] }, { action: "CreateGrant" }],
    [
      "other-principal",
      { granteePrincipal: OTHER, operations: ["RetireGrant"] },
      { action: "RetireGrant", target: grant() },
    ],
  ])("%s", (objection, changes, question) => {
    const { decision, grants } = explainAccess(asked(question), facts([grant(changes)]), NOW);
    expect(grants.map((look) => look.objection)).toEqual([objection]);
    expect(decision.effect).toBe("deny");
  });

  test("no reason, of a grant that allows it", () => {
    expect(explainAccess(asked(), facts([grant()]), NOW).grants).toEqual([{ grant: grant() }]);
  });

  test("grants to others and of other keys are none of them", () => {
    const others = [grant({ granteePrincipal: OTHER }), grant({ grantId: "2", keyId: keyId(2) })];
    expect(explainAccess(asked(), facts(others), NOW).grants).toEqual([]);
  });
});

const context = fc.constantFrom<Record<string, string>>({}, { tenant: "a" }, { tenant: "b", more: "c" });
const constraint = fc.record({ kind: fc.constantFrom("Equals" as const, "Subset" as const), context });
const principal = fc.constantFrom(APP, OTHER);
const id = fc.constantFrom(keyId(1), keyId(2));
const operations = fc.subarray([...GRANT_OPERATIONS], { minLength: 1 });
const terms = fc.record(
  {
    ...{ keyId: id, granteePrincipal: principal, operations, constraint, retiringPrincipal: principal },
    expiresAt: fc.constantFrom(NOW - 1, NOW, NOW + 1),
  },
  { requiredKeys: ["keyId", "granteePrincipal", "operations"] },
);
const grants = fc.array(
  fc.tuple(terms, fc.boolean(), fc.constantFrom("secrets", "bills")).map(([given, hasEnded, masterKey]) => ({
    ...given,
    ...{ masterKey, ...(hasEnded && { ended: { phase: "Revoked" as const, at: NOW } }) },
  })),
  { maxLength: 4 },
);
const request = fc.record(
  {
    ...{ principal, action: fc.constantFrom(...(Object.keys(actions) as Action[])), context },
    ...{ keyId: id, masterKey: fc.constant(KEY), proposed: terms },
    target: fc.nat(3).map((n) => ({ grantId: String(n), keyId: keyId(1) })),
  },
  { requiredKeys: ["principal", "action", "context", "keyId", "masterKey"] },
);
const policy = fc.constantFrom<AccessFacts["policy"]>(
  ...[LEFT_TO_ACCOUNT, { effect: "closed" } as const, { effect: "none" } as const],
  ...(["deny", "allow"] as const).map((effect) => ({ effect, statement: "s" })),
);
const rbac = fc.constantFrom<AccessFacts["rbac"]>("allowed", "denied", "unknown", "not-asked");

test("whatever is asked => the decision of decideAccess, reached by its steps, with the grants that it saw", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(request, grants, policy, rbac, (question, rows, word, answer) => {
      const given = facts(
        rows.map((row, at) => grant({ grantId: String(at), ...row })),
        { policy: word, rbac: answer },
      );
      const { decision, steps, grants: looks } = explainAccess(question, given, NOW);
      expect(decision).toEqual(decideAccess(question, given, NOW));
      expect(steps.filter(({ outcome }) => outcome !== "passes" && outcome !== "not-reached")).toEqual([
        expect.objectContaining({ outcome: decision.effect }),
      ]);
      const allowing = looks.find(({ objection }) => objection === undefined);
      const kind = decision.effect === "ask-rbac" ? decision.effect : decision.rule.kind;
      expect(kind === "grant").toBe(
        allowing !== undefined && word.effect !== "deny" && word.effect !== "closed",
      );
      seen.add(`${decision.effect} ${kind}`);
    }),
    { numRuns: 5_000 },
  );
  // The cases are worth something only if all rules decide some of them.
  expect([...seen].sort()).toEqual([
    ...["allow grant", "allow policy-allow", "allow rbac", "ask-rbac ask-rbac", "deny none"],
    ...["deny policy-closed", "deny policy-deny", "deny policy-none", "deny rbac-unknown"],
  ]);
});
