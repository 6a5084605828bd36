import { describe, expect, test } from "vitest";
import { conditionOf } from "../../resources/conditions.ts";
import { FINALIZER } from "../../resources/finalizer.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";
import {
  condition,
  deletionPeriod,
  EARLIER,
  keyId,
  keyVersion,
  masterKey,
  NOW,
  NOW_TEXT,
  partLike,
  statusWith,
  tombstone,
  waiting,
} from "../../testing/objects.ts";
import { assembleStatus } from "../master-key/assemble-status.ts";
import { decideFinalizers, deletionPart, isDestroyed, type ObservedDeletion } from "./decide-deletion.ts";
import type { Use } from "./usage.ts";
import type { UsageCount } from "./usage-census.ts";

const v1 = keyVersion(1);
const counted: UsageCount = { kind: "counted", stored: () => 0 };
const used: readonly Use[] = [{ reason: "ProviderUsesKey", text: "provider p of node one" }];
const wanted = { deletion: { pendingWindowInDays: 7 } };
const vouched = { deletion: { pendingWindowInDays: 7, withoutCensus: true } };
const IN_A_WEEK = "2026-01-09T03:04:05Z";
const accepted = { scheduledAt: EARLIER, deletionDate: "2026-01-08T00:00:00Z" };
const ready: MasterKeyStatus = { ...statusWith(v1), keyState: "Enabled", conditions: [condition("Ready")] };
const pending: MasterKeyStatus = { ...ready, keyState: "PendingDeletion", deletion: accepted };

/** Returns a status with the decision about the deletion. */
const withDeletion = (
  { status, ...observed }: ObservedDeletion & { readonly status: MasterKeyStatus },
  now: Date,
): MasterKeyStatus =>
  assembleStatus(observed.masterKey, [partLike(status), deletionPart(observed, now)], now);

function decide(key: MasterKey, uses: readonly Use[] = [], versions = [v1], count: UsageCount = counted) {
  const status = { ...ready, ...key.status, keyState: key.spec.enabled ? "Enabled" : "Disabled" } as const;
  const after = withDeletion({ masterKey: key, status, versions, uses, count, waiting: waiting() }, NOW);
  return {
    state: after.keyState,
    deletion: after.deletion,
    blocked: conditionOf(after.conditions, "DeletionBlocked")?.reason,
    ready: conditionOf(after.conditions, "Ready")?.reason,
    after,
  };
}

describe("a deletion", () => {
  test("is not asked for => none, and who uses the key is told", () => {
    const free = decide(masterKey({ status: ready }));
    expect(free).toMatchObject({
      state: "Enabled",
      deletion: undefined,
      blocked: undefined,
      ready: "Because",
    });
    expect(conditionOf(free.after.conditions, "InUse")).toMatchObject({ status: "False" });
    const busy = decide(masterKey({ status: ready }), used);
    expect(conditionOf(busy.after.conditions, "InUse")).toMatchObject({
      status: "True",
      message: "the key is used by provider p of node one",
    });
  });
  test("is asked for and nobody uses the key => accepted, with its date", () => {
    expect(decide(masterKey({ spec: wanted, status: ready }))).toMatchObject({
      state: "PendingDeletion",
      deletion: { scheduledAt: NOW_TEXT, deletionDate: IN_A_WEEK },
      blocked: "Scheduled",
      ready: "PendingDeletion",
    });
  });
  test("is asked for and the key is used => refused by name, nothing changed", () => {
    const { after, ...rest } = decide(masterKey({ spec: wanted, status: ready }), used);
    expect(rest).toEqual({ state: "Enabled", deletion: undefined, blocked: "InUse", ready: "Because" });
    expect(conditionOf(after.conditions, "DeletionBlocked")).toMatchObject({
      status: "True",
      message:
        "nothing was changed: the key is used by provider p of node one; end that, or take spec.deletion out",
    });
  });
  test.each<readonly [string, UsageCount, string, string]>([
    [
      "is not counted yet",
      { kind: "pending" },
      "Counting",
      "nothing was changed yet: what is stored under the key is being counted in etcd",
    ],
    [
      "cannot be counted",
      { kind: "failed", message: "etcd is down" },
      "NotCounted",
      "nothing was changed yet: what is stored under the key cannot be counted: etcd is down; tried again",
    ],
  ])("is asked for and what is stored %s => waits for the count", (_, count, reason, message) => {
    const { after, state, deletion } = decide(masterKey({ spec: wanted, status: ready }), [], [v1], count);
    expect([state, deletion]).toEqual(["Enabled", undefined]);
    expect(conditionOf(after.conditions, "DeletionBlocked")).toMatchObject({ reason, message });
  });
  test("was cancelled and asked for anew with another window, unseen between => begun anew", () => {
    const longer = { deletion: { pendingWindowInDays: 30 } };
    expect(decide(masterKey({ spec: longer, status: pending })).deletion).toEqual({
      scheduledAt: NOW_TEXT,
      deletionDate: "2026-02-01T03:04:05Z",
    });
  });
  test.each([
    [1, "=> goes on", accepted],
    [
      2,
      "and may have been cancelled and asked for anew => begun anew",
      { scheduledAt: NOW_TEXT, deletionDate: IN_A_WEEK },
    ],
  ])("was accepted, %i edits unseen since %s", (edits, _, deletion) => {
    const key = masterKey({ spec: wanted, status: pending });
    const metadata = { ...key.metadata, generation: 4 };
    const status = { ...pending, observedGeneration: 4 - edits };
    expect(decide({ ...key, metadata, status }).deletion).toEqual(deletion);
  });
  test("is asked for and nothing can be counted without etcd => nothing is changed, and the message says what may be done", () => {
    const { after, state, deletion } = decide(masterKey({ spec: wanted, status: ready }), [], [v1], {
      kind: "impossible",
    });
    expect([state, deletion]).toEqual(["Enabled", undefined]);
    expect(conditionOf(after.conditions, "DeletionBlocked")).toMatchObject({
      reason: "NotCounted",
      message: expect.stringMatching(
        /no etcd in which to count.*give it etcd, or.*set spec\.deletion\.withoutCensus to true/,
      ),
    });
  });
  test("is asked for and nothing could be counted, which is asked anew => says the same all the while", () => {
    const blocked = (count: UsageCount) => {
      const { after } = decide(masterKey({ spec: wanted, status: ready }), [], [v1], count);
      return conditionOf(after.conditions, "DeletionBlocked");
    };
    expect(blocked({ kind: "impossible", askedAnew: true })).toEqual(blocked({ kind: "impossible" }));
  });
  test("is asked for with withoutCensus, and nothing can be counted => accepted, and status says so", () => {
    const key = masterKey({ spec: vouched, status: ready });
    expect(decide(key, [], [v1], { kind: "impossible" })).toMatchObject({
      state: "PendingDeletion",
      deletion: { scheduledAt: NOW_TEXT, deletionDate: IN_A_WEEK, withoutCensus: true },
    });
  });
  test.each<readonly [string, UsageCount, string]>([
    ["is being made", { kind: "pending" }, "Counting"],
    ["fails", { kind: "failed", message: "etcd is down" }, "NotCounted"],
    ["was impossible, which is asked anew,", { kind: "impossible", askedAnew: true }, "Counting"],
  ])("is asked for with withoutCensus, and a count %s => waits for it all the same", (_, count, blocked) => {
    const key = masterKey({ spec: vouched, status: ready });
    expect(decide(key, [], [v1], count)).toMatchObject({ state: "Enabled", blocked });
  });
  test.each([
    ["is set", vouched, pending, { ...accepted, withoutCensus: true }],
    ["is taken back", wanted, { ...pending, deletion: { ...accepted, withoutCensus: true } }, accepted],
  ])(
    "was accepted and withoutCensus %s => its date stays, and status follows",
    (_, spec, status, deletion) => {
      expect(decide(masterKey({ spec, status })).deletion).toEqual(deletion);
    },
  );
  test("was accepted and the count grew old => it stays accepted", () => {
    const key = masterKey({ spec: wanted, status: pending });
    expect(decide(key, [], [v1], { kind: "pending" })).toMatchObject({
      state: "PendingDeletion",
      blocked: "Scheduled",
    });
  });
  test("was accepted => its date stays", () => {
    expect(decide(masterKey({ spec: wanted, status: pending })).deletion).toEqual(accepted);
  });
  test("was accepted and the key came into use => it goes on being refused", () => {
    expect(decide(masterKey({ spec: wanted, status: pending }), used)).toMatchObject({
      state: "PendingDeletion",
      deletion: accepted,
    });
  });
  test.each([
    [true, "Enabled"],
    [false, "Disabled"],
  ])("is cancelled and spec.enabled is %s => the key is %s", (enabled, state) => {
    expect(decide(masterKey({ spec: { enabled }, status: pending }))).toMatchObject({
      state,
      deletion: undefined,
      blocked: undefined,
    });
  });
  test("clocks disagree => none is accepted, and one that was accepted stays", () => {
    const time = {
      kind: "disagree",
      reason: "ClocksDisagree",
      message: "by 40 days",
      doubted: true,
    } as const;
    const decided = (status: MasterKeyStatus) => {
      const key = masterKey({ spec: wanted, status });
      const observed = { masterKey: key, status, versions: [v1], uses: [], count: counted };
      return withDeletion({ ...observed, waiting: waiting([], { time }) }, NOW);
    };
    const { conditions, deletion, keyState } = decided(ready);
    expect([deletion, keyState]).toEqual([undefined, "Enabled"]);
    expect(conditionOf(conditions, "DeletionBlocked")).toMatchObject({ reason: "ClocksDisagree" });
    expect(decided(pending).deletion).toEqual(accepted);
  });
  test("this node's own record ends later than the dates say => the dates are put right, and the window stays", () => {
    const since = Date.parse("2026-01-02T00:00:00Z");
    const key = masterKey({ spec: wanted, status: pending });
    const observed = { masterKey: key, status: pending, versions: [v1], uses: [], count: counted };
    const period = deletionPeriod(1, { since, until: 0 });
    expect(withDeletion({ ...observed, waiting: waiting([period]) }, NOW).deletion).toEqual({
      scheduledAt: "2026-01-02T00:00:00Z",
      deletionDate: "2026-01-09T00:00:00Z",
    });
  });
  test("an obstacle to what is due => is told", () => {
    const key = masterKey({ spec: wanted, status: pending });
    const obstacle = { reason: "NodeNotHeardOf", message: "nothing was destroyed: two" };
    const after = withDeletion(
      {
        masterKey: key,
        status: pending,
        versions: [v1],
        uses: [],
        count: counted,
        waiting: waiting(),
        obstacle,
      },
      NOW,
    );
    expect(conditionOf(after.conditions, "DeletionBlocked")).toMatchObject({ status: "True", ...obstacle });
  });
  test("all versions are destroyed => the key is, and stays so when spec.deletion is taken out", () => {
    for (const spec of [wanted, {}]) {
      const { after, state, ready: why } = decide(masterKey({ spec, status: pending }), [], [tombstone(1)]);
      expect([state, why, after.currentVersion]).toEqual(["Destroyed", "Destroyed", undefined]);
    }
  });
  test("it was destroyed and the tombstones are lost => it stays destroyed, and gets no new material", () => {
    const { currentVersion: _, ...rest } = pending;
    const destroyed: MasterKey = masterKey({ status: { ...rest, keyState: "Destroyed" } });
    expect(decide(destroyed, [], []).state).toBe("Destroyed");
    expect(isDestroyed(destroyed, [])).toBe(true);
  });
  test("one of two versions is destroyed => the key is not", () => {
    const key = masterKey({ spec: wanted, status: pending });
    expect(decide(key, [], [tombstone(1), keyVersion(2)]).state).toBe("PendingDeletion");
  });
  test("decided twice => the same, times of conditions included", () => {
    const key = masterKey({ spec: wanted, status: ready });
    const { after } = decide(key);
    const later = new Date(NOW.getTime() + 60_000);
    const base = { ...after, conditions: [condition("Ready")] };
    const observed = {
      masterKey: { ...key, status: after },
      status: base,
      versions: [v1],
      uses: [],
      count: counted,
      waiting: waiting(),
    };
    expect(withDeletion(observed, later)).toEqual(after);
  });
});

describe("an object that is to be deleted", () => {
  const leaving = (status: MasterKeyStatus, finalizers: readonly string[] = [FINALIZER]) =>
    masterKey({ metadata: { deletionTimestamp: EARLIER, finalizers }, status });

  test("and is used => says by whom, and how to let it go", () => {
    const { after } = decide(leaving(ready), used);
    expect(conditionOf(after.conditions, "DeletionBlocked")).toMatchObject({
      reason: "HeldInUse",
      message: expect.stringMatching(
        /used by provider p of node one.*destroys nothing.*kubectl patch mk -n apps secrets/,
      ),
    });
  });
  test("and is used => held", () => expect(decideFinalizers(leaving(ready), [v1], used)).toBeUndefined());
  test("and is not used => let go, others' finalizers stay", () => {
    expect(decideFinalizers(leaving(ready, ["x/y", FINALIZER]), [v1], [])).toEqual(["x/y"]);
  });
  test("whose versions do not know of its deletion yet => held, as the deletion outlives the object", () => {
    expect(decideFinalizers(leaving(pending), [v1], [])).toBeUndefined();
    const told = keyVersion(1, { status: { deletion: accepted } });
    expect(decideFinalizers(leaving(pending), [told], [])).toEqual([]);
  });
  test("without our finalizer => nothing to do", () => {
    expect(decideFinalizers(leaving(ready, []), [v1], [])).toBeUndefined();
  });
});

describe("an object that stays", () => {
  test("with material => is held", () => {
    expect(decideFinalizers(masterKey({ status: ready }), [v1], [])).toEqual([FINALIZER]);
  });
  test("that is held => nothing to do", () => {
    const key = masterKey({ metadata: { finalizers: [FINALIZER] }, status: ready });
    expect(decideFinalizers(key, [v1], [])).toBeUndefined();
  });
  test.each([
    ["without material", masterKey({ status: { keyId: keyId(1) } }), []],
    ["whose material was destroyed", masterKey({ status: ready }), [tombstone(1)]],
  ])("%s => is not held", (_, key, versions) => {
    expect(decideFinalizers(key, versions, [])).toBeUndefined();
  });
});
