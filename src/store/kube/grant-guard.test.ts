import { describe, expect, test } from "vitest";
import { GRANT_POLICY, guardOf } from "./grant-guard.ts";

const at = (creationTimestamp: string) => ({ metadata: { creationTimestamp } });
const policy = { ...at("2026-01-01T00:00:00Z"), spec: { failurePolicy: "Fail" } };
const binding = {
  ...at("2026-01-01T00:00:05Z"),
  spec: { policyName: GRANT_POLICY, validationActions: ["Deny"], matchResources: undefined as unknown },
};

test("the policy guards since the younger of policy and binding was created", () => {
  const guard = { kind: "in-force", since: Date.parse("2026-01-01T00:00:05Z") };
  expect(guardOf(GRANT_POLICY, policy, binding)).toEqual(guard);
  const matchResources = { matchPolicy: "Equivalent", namespaceSelector: {}, objectSelector: {} };
  expect(guardOf(GRANT_POLICY, policy, { ...binding, spec: { ...binding.spec, matchResources } })).toEqual(
    guard,
  );
});

describe("nobody vouches for grantedBy", () => {
  const changed = (spec: object) => ({ ...binding, spec: { ...binding.spec, ...spec } });
  test.each([
    ["the policy is missing", undefined, binding],
    ["its binding is missing", policy, undefined],
    ["the policy ignores its own failures", { ...policy, spec: { failurePolicy: "Ignore" } }, binding],
    ["the policy has conditions", { ...policy, spec: { matchConditions: [{}] } }, binding],
    ["the policy has parameters", { ...policy, spec: { paramKind: {} } }, binding],
    ["the binding only warns", policy, changed({ validationActions: ["Warn", "Audit"] })],
    ["the binding is of another policy", policy, changed({ policyName: "other" })],
    [
      "the binding selects namespaces",
      policy,
      changed({ matchResources: { namespaceSelector: { matchLabels: { a: "b" } } } }),
    ],
    ["the binding excludes resources", policy, changed({ matchResources: { excludeResourceRules: [{}] } })],
  ] as const)("if %s, and the remedy is said", (_, one, other) => {
    expect(guardOf(GRANT_POLICY, one, other)).toEqual({
      kind: "missing",
      message: expect.stringMatching(/apply deploy\/rbac.yaml and deploy\/admission.yaml/),
    });
  });
  test("since no time, if an object has no creation time", () => {
    const guard = guardOf(GRANT_POLICY, { ...policy, metadata: {} }, binding);
    expect(guard).toEqual({ kind: "in-force", since: Number.POSITIVE_INFINITY });
  });
});
