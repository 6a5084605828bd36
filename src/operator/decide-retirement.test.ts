import { expect, test } from "vitest";
import { conditionOf } from "./conditions.ts";
import {
  decideRetirement,
  type RetirementFacts,
  retirementStatus,
  retiringKey,
} from "./decide-retirement.ts";
import { condition, keyId, keyVersion, masterKey, NOW, node, statusWith } from "./testing.ts";

const deletion = { scheduledAt: "2025-12-20T00:00:00Z", deletionDate: "2026-01-02T00:00:00Z" };
const wanted = { deletion: { pendingWindowInDays: 13 } };
const facts: RetirementFacts = {
  keyServers: [],
  keyAliases: [],
  nodes: [node("one", [])],
  count: { kind: "impossible" },
};
const found = condition("InUse", {
  reason: "ObjectsUnderKey",
  message: "the key is used by 7 stored objects",
});

test("a leader with etcd found objects under the key, and this one has no etcd => refused still", () => {
  const version = keyVersion(1);
  const key = masterKey({ spec: wanted, status: { ...statusWith(version), conditions: [found] } });
  const once = retirementStatus(key, key.status ?? {}, [version], facts, NOW);
  expect(once.deletion).toBeUndefined();
  expect(conditionOf(once.conditions, "DeletionBlocked")?.message).toMatch(/give it to every operator/);
  const twice = retirementStatus({ ...key, status: once }, once, [version], facts, NOW);
  expect(twice).toEqual(once);
  const counted = { ...facts, count: { kind: "counted", stored: () => 0 } } as const;
  expect(retirementStatus({ ...key, status: twice }, twice, [version], counted, NOW).deletion).toBeDefined();
});

test("the same once the deletion is due => not destroyed", () => {
  const version = keyVersion(1, { status: { deletion } });
  const status = { ...statusWith(version), deletion, conditions: [found] };
  const plans = decideRetirement(
    retiringKey(keyId(1), [version], [masterKey({ spec: wanted, status })]),
    facts,
    NOW,
  );
  expect(plans).toContainEqual(expect.objectContaining({ kind: "wait", reason: "InUse" }));
  expect(plans.map(({ kind }) => kind)).not.toContain("destroy");
});
