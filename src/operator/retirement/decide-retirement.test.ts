import { expect, test } from "vitest";
import { conditionOf } from "../../resources/conditions.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import {
  condition,
  currentVersion,
  deletionPeriod,
  keyId,
  keyServer,
  keyVersion,
  masterKey,
  NOW,
  node,
  partLike,
  statusWith,
  waiting,
} from "../../testing/objects.ts";
import { assembleStatus } from "../master-key/assemble-status.ts";
import { awaitsCount, decideRetirement, retirementParts } from "./decide-retirement.ts";
import type { RetirementFacts } from "./key-uses.ts";
import { retiringKey } from "./retiring-keys.ts";

const deletion = { scheduledAt: "2025-12-20T00:00:00Z", deletionDate: "2026-01-02T00:00:00Z" };
const wanted = { deletion: { pendingWindowInDays: 13 } };
const facts: RetirementFacts = {
  keyServers: [],
  keyAliases: [],
  nodes: [node("one", [])],
  count: { kind: "impossible" },
  waiting: waiting([deletionPeriod(1)]),
};
const found = condition("InUse", {
  reason: "ObjectsUnderKey",
  message: "the key is used by 7 stored objects",
});

/** Returns the status of a key about which nothing else is decided. */
const retirementStatus = (
  key: MasterKey,
  versions: readonly KeyVersion[],
  among: RetirementFacts,
  now: Date,
) => assembleStatus(key, [partLike(key.status ?? {}), ...retirementParts(key, versions, among, now)], now);

test("a leader with etcd found objects under the key, and this one has no etcd => refused still", () => {
  const version = keyVersion(1);
  const key = masterKey({ spec: wanted, status: { ...statusWith(version), conditions: [found] } });
  const once = retirementStatus(key, [version], facts, NOW);
  expect(once.deletion).toBeUndefined();
  expect(conditionOf(once.conditions, "DeletionBlocked")?.message).toMatch(/give it to every operator/);
  const twice = retirementStatus({ ...key, status: once }, [version], facts, NOW);
  expect(twice).toEqual(once);
  const counted = { ...facts, count: { kind: "counted", stored: () => 0 } } as const;
  expect(retirementStatus({ ...key, status: twice }, [version], counted, NOW).deletion).toBeDefined();
});

test("a node has a Lease and no KeyServer => no deletion is accepted, as the node may serve the key, and it is named", () => {
  const version = keyVersion(1);
  const key = masterKey({ spec: wanted, status: statusWith(version) });
  const count = { kind: "counted", stored: () => 0 } as const;
  const nodes = [node("one", []), node("two", [], { unreported: true })];
  const status = retirementStatus(key, [version], { ...facts, count, nodes }, NOW);
  expect(status.deletion).toBeUndefined();
  expect(conditionOf(status.conditions, "DeletionBlocked")?.message).toMatch(
    /used by node two \(its operator/,
  );
  const reported = { ...facts, count, nodes: [node("one", []), node("two", [])] };
  expect(retirementStatus(key, [version], reported, NOW).deletion).toBeDefined();
});

test.each([
  ["is about to ask whether it can count", { kind: "pending" }],
  ["cannot count just now", { kind: "failed", message: "etcd is down" }],
] as const)(
  "the same while this one %s => refused still, and what was found is not forgotten",
  (_, count) => {
    const version = keyVersion(1);
    const vouched = { deletion: { pendingWindowInDays: 13, withoutCensus: true } };
    const key = masterKey({ spec: vouched, status: { ...statusWith(version), conditions: [found] } });
    const once = retirementStatus(key, [version], { ...facts, count }, NOW);
    expect(conditionOf(once.conditions, "InUse")).toMatchObject({ reason: "ObjectsUnderKey" });
    const known = { ...key, status: once };
    const later = retirementStatus(known, [version], facts, NOW);
    expect(later.deletion).toBeUndefined();
    expect(conditionOf(later.conditions, "DeletionBlocked")).toMatchObject({ reason: "InUse" });
    expect(awaitsCount(known)).toBe(true);
  },
);

test("what was found under a key whose deletion was accepted before => counted again, not believed for ever", () => {
  const version = keyVersion(1, { status: { deletion } });
  const status = { ...statusWith(version), deletion, conditions: [found] };
  expect(awaitsCount(masterKey({ spec: wanted, status }))).toBe(true);
  expect(awaitsCount(masterKey({ spec: wanted, status: { ...status, conditions: [] } }))).toBe(false);
  expect(awaitsCount(masterKey({ status: { ...status, conditions: [found] } }))).toBe(false);
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

test("retention under a MasterKey that came to have another one's keyId => destroys none of the other's versions", () => {
  const thief = { namespace: "tenant", name: "known" };
  const its = keyVersion(4, {
    spec: { masterKey: thief },
    metadata: { creationTimestamp: "2025-12-01T00:00:00Z" },
  });
  const { kmsKeyId } = currentVersion(its);
  const provider = { name: "p", socket: "/s", serves: "tenant/known", kmsKeyId, settled: true, episode: "e" };
  const key = masterKey({
    metadata: thief,
    spec: { retention: { policy: "Destroy", afterDays: 7 } },
    status: {
      ...statusWith(its),
      reencryption: {
        kmsKeyId,
        phase: "Complete",
        verified: true,
        resources: ["secrets"],
        startedAt: "2025-12-01T00:00:00Z",
        completedAt: "2025-12-01T00:00:00Z",
        round: 1,
      },
    },
  });
  const period = { ...deletionPeriod(1), kind: "retention", subject: kmsKeyId, until: 0, length: 0 } as const;
  const known: RetirementFacts = {
    ...facts,
    keyServers: [keyServer("one", { providers: [provider] })],
    count: { kind: "counted", stored: () => 0 },
    waiting: waiting([period]),
  };
  const kindsOf = (versions: readonly KeyVersion[]) =>
    decideRetirement(retiringKey(keyId(1), versions, [key]), known, NOW).map(({ kind }) => kind);
  const others = [keyVersion(1), keyVersion(2), keyVersion(3)];
  expect(kindsOf([...others, its])).not.toContain("destroy");
  const own = others.map((one) => ({ ...one, spec: { ...one.spec, masterKey: thief } }));
  expect(kindsOf([...own, its])).toContain("destroy");
});
