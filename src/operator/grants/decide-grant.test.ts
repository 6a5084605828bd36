import { describe, expect, test } from "vitest";
import type { GrantRow } from "../../keyring/grant-row.ts";
import { conditionOf } from "../../resources/conditions.ts";
import type { KeyGrant } from "../../resources/resources.ts";
import { ACCOUNT, APP, keyGrant } from "../../testing/grants.ts";
import { keyId, masterKey, NOW } from "../../testing/objects.ts";
import { DAY_MILLISECONDS } from "../../times.ts";
import { decideGrant } from "./decide-grant.ts";
import type { ObservedGrant } from "./grant-checks.ts";
import { grantRowOf } from "./grant-record.ts";

const ALICE = `arn:aws:iam::${ACCOUNT}:user/alice`;
const observed = (changes: Partial<ObservedGrant> = {}): ObservedGrant => ({
  ...{ grant: keyGrant(), masterKey: masterKey(), keyId: keyId(1), held: undefined, proven: false },
  ...{ parent: undefined, guard: { kind: "in-force", since: 0 }, mayGrant: true, account: ACCOUNT },
  hasRoom: () => true,
  ...changes,
});
const accepted = (grant: KeyGrant, key = keyId(1)) => grantRowOf(grant, key, ACCOUNT);
/** Returns the plan's kind, or the reason of the condition that it writes. */
function outcome(given: ObservedGrant, now = NOW): string | undefined {
  const plan = decideGrant(given, now);
  return plan.kind === "settle" ? conditionOf(plan.status.conditions, "Ready")?.reason : plan.kind;
}

test("a grant of an existing key by somebody who may grant => accepted, for that key alone", () => {
  expect(decideGrant(observed(), NOW)).toMatchObject({
    kind: "accept",
    row: {
      keyId: keyId(1),
      granteePrincipal: APP,
      operations: ["Decrypt", "Encrypt"],
      issuingPrincipal: ALICE,
    },
    status: {
      phase: "Active",
      keyId: keyId(1),
      conditions: [{ type: "Ready", status: "True", reason: "Granted" }],
    },
  });
});

describe("nothing is granted", () => {
  const hmac = masterKey({ spec: { keySpec: "HMAC_256", keyUsage: "GENERATE_VERIFY_MAC" } });
  const constrained = { encryptionContextEquals: { a: "b" } };
  const long = {
    encryptionContextSubset: Object.fromEntries(
      Array.from({ length: 8 }, (_, n) => [String(n), "x".repeat(1024)]),
    ),
  };
  test.each([
    ["the MasterKey is not there", { masterKey: undefined }, "MasterKeyNotReady"],
    ["the MasterKey has no keyId in this node's keyring", { keyId: undefined }, "MasterKeyNotReady"],
    ["the key has as many grants as it may have", { hasRoom: () => false }, "TooManyGrants"],
    ["the key cannot do an operation", { masterKey: hmac }, "OperationNotPossible"],
    [
      "requests with the key have no encryption context",
      {
        masterKey: hmac,
        grant: keyGrant({ spec: { operations: ["GenerateMac"], constraints: constrained } }),
      },
      "ConstraintNotPossible",
    ],
    [
      "the constraints are longer than any encryption context",
      { grant: keyGrant({ spec: { constraints: long } }) },
      "ConstraintNotPossible",
    ],
    [
      "the constraints are no valid Unicode",
      { grant: keyGrant({ spec: { constraints: { encryptionContextEquals: { a: "\ud800" } } } }) },
      "ConstraintNotPossible",
    ],
    [
      "the admission policy is missing",
      { guard: { kind: "missing", message: "" } },
      "AdmissionPolicyMissing",
    ],
    [
      "the grant is older than the admission policy",
      { guard: { kind: "in-force", since: NOW.getTime() } },
      "NotGuarded",
    ],
    [
      "the grant came a moment after the admission policy",
      { guard: { kind: "in-force", since: Date.parse("2025-12-31T23:59:55Z") } },
      "NotGuarded",
    ],
    [
      "nobody is named as its creator",
      { grant: keyGrant({ spec: { grantedBy: undefined as never } }) },
      "GrantorMissing",
    ],
    [
      "its creator has no ARN",
      { grant: keyGrant({ spec: { grantedBy: { user: "\ud800", groups: [] } } }) },
      "GrantorMissing",
    ],
    ["its creator may not grant", { mayGrant: false }, "GrantDenied"],
    ["it was not asked if its creator may grant", { mayGrant: undefined }, "ask"],
    ["its parent is not there", { grant: keyGrant({ spec: { parent: "parent" } }) }, "ParentDoesNotAllow"],
  ] as const)("if %s", (_, changes, expected) => {
    expect(outcome(observed(changes as Partial<ObservedGrant>))).toBe(expected);
  });
});

describe("a grant with a parent", () => {
  const grant = keyGrant({ spec: { parent: "parent", operations: ["Decrypt"] } });
  const parent: GrantRow = {
    ...accepted(keyGrant({ metadata: { name: "parent" } })),
    granteePrincipal: ALICE,
    operations: ["Decrypt", "CreateGrant"],
  };
  test.each([
    ["is accepted within it, and RBAC is not asked", {}, "accept"],
    ["is not if the parent grants to somebody else", { granteePrincipal: APP }, "ParentDoesNotAllow"],
    ["is not if the parent has no CreateGrant", { operations: ["Decrypt"] }, "ParentDoesNotAllow"],
    ["is not if it has an operation more", { operations: ["Encrypt", "CreateGrant"] }, "ParentDoesNotAllow"],
    ["is not if the parent is of another key", { keyId: keyId(2) }, "ParentDoesNotAllow"],
    ["is not if the parent was revoked", { ended: { phase: "Revoked", at: 1 } }, "ParentDoesNotAllow"],
    ["is not if the parent has expired", { expiresAt: NOW.getTime() }, "ParentDoesNotAllow"],
    ["is not if it lives longer than the parent", { expiresAt: NOW.getTime() + 1 }, "ParentDoesNotAllow"],
    [
      "is not if the parent has a constraint and it has none",
      { constraint: { kind: "Subset", context: { a: "b" } } },
      "ParentDoesNotAllow",
    ],
  ] as const)("%s", (_, changes, expected) => {
    expect(outcome(observed({ grant, parent: { ...parent, ...changes }, mayGrant: undefined }))).toBe(
      expected,
    );
  });
});

test("in a folder of manifests nobody is asked and nobody need be named", () => {
  const grant = keyGrant({ spec: { grantedBy: undefined as never } });
  expect(outcome(observed({ grant, guard: undefined, mayGrant: undefined }))).toBe("accept");
});

describe("an accepted grant", () => {
  const proof = { provider: "file", rootKeyId: "root-1", sealed: "cHJvb2Y=" };
  const grant = keyGrant({ status: { phase: "Active", keyId: keyId(1), proof } });
  test("stays if its creator loses the right, the policy goes or the MasterKey is deleted", () => {
    const gone = { mayGrant: false, guard: { kind: "missing", message: "" }, masterKey: undefined } as const;
    expect(decideGrant(observed({ ...gone, grant, proven: true }), NOW)).toMatchObject({
      kind: "settle",
      status: { phase: "Active", proof },
    });
  });
  test("whose proof is not this root key's, or was taken away => proven again, from this node's own record", () => {
    const held = accepted(grant);
    expect(outcome(observed({ grant, held, mayGrant: undefined }))).toBe("accept");
    expect(outcome(observed({ grant: keyGrant(), held, mayGrant: undefined }))).toBe("accept");
  });
  test("with a false proof and no record here => is a new grant", () => {
    expect(outcome(observed({ grant, mayGrant: undefined }))).toBe("ask");
  });
  test("is for its first key: the name's next key is not granted, and that is said", () => {
    const plan = decideGrant(observed({ grant, held: accepted(grant), proven: true, keyId: keyId(2) }), NOW);
    expect(plan).toMatchObject({
      kind: "settle",
      status: { keyId: keyId(1), conditions: [{ reason: "KeyReplaced" }] },
    });
  });
  test("whose status claims another key => its own key again", () => {
    const forged = keyGrant({ status: { phase: "Active", keyId: keyId(2), proof } });
    const plan = decideGrant(observed({ grant: forged, held: accepted(grant) }), NOW);
    expect(plan).toMatchObject({ kind: "accept", row: { keyId: keyId(1) } });
  });
  test.each([
    ["operations", { operations: ["CreateGrant", "Decrypt"] }],
    ["grantee", { granteePrincipal: ALICE }],
    ["MasterKey", { masterKey: "other" }],
    ["end", { expiresAt: "2099-01-01T00:00:00Z" }],
  ] as const)(
    "whose spec has another %s than this node recorded => is not proven again, and that is said",
    (_, spec) => {
      for (const proven of [true, false]) {
        const altered = keyGrant({ spec, status: grant.status });
        const plan = decideGrant(observed({ grant: altered, held: accepted(grant), proven }), NOW);
        expect(plan).toMatchObject({
          kind: "settle",
          status: {
            phase: "Active",
            keyId: keyId(1),
            conditions: [{ status: "False", reason: "SpecAltered" }],
          },
        });
        expect(plan).not.toHaveProperty("status.proof");
      }
    },
  );
  test("is looked at again when it expires", () => {
    const soon = keyGrant({ spec: { expiresAt: "2026-01-02T03:04:06Z" }, status: grant.status });
    const plan = decideGrant(observed({ grant: soon, proven: true }), NOW);
    expect(plan).toMatchObject({ kind: "settle", next: 322 });
  });
});

describe("an end", () => {
  const ends = [
    ["Revoked", { spec: { ended: "Revoked" } }],
    ["Retired", { spec: { ended: "Retired" } }],
    ["Expired", { spec: { expiresAt: "2026-01-02T03:04:05Z" } }],
    ["Revoked", { metadata: { deletionTimestamp: "2026-01-02T03:04:05Z" } }],
  ] as const;
  test.each(ends)("%s by %j comes before everything else, and is removed a day later", (phase, changes) => {
    for (const proven of [true, false]) {
      const plan = decideGrant(observed({ grant: keyGrant(changes), proven, mayGrant: undefined }), NOW);
      expect(plan).toMatchObject({ kind: "settle", status: { phase, endedAt: "2026-01-02T03:04:05Z" } });
      if (plan.kind !== "settle") continue;
      const later = keyGrant({ ...changes, status: plan.status });
      expect(outcome(observed({ grant: later }), new Date(NOW.getTime() + DAY_MILLISECONDS - 1_000))).toBe(
        phase,
      );
      expect(outcome(observed({ grant: later }), new Date(NOW.getTime() + DAY_MILLISECONDS))).toBe("remove");
    }
  });
  test("that this node has recorded stays, if a restored etcd brings the grant back", () => {
    const grant = keyGrant({ status: { phase: "Active", keyId: keyId(1) } });
    const held = { ...accepted(grant), ended: { phase: "Revoked", at: 1 } } as const;
    expect(outcome(observed({ grant, held, proven: true }))).toBe("Revoked");
  });
});
