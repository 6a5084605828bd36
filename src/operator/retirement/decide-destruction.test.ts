import { describe, expect, test } from "vitest";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import {
  deletionPeriod,
  keyId,
  keyServer,
  keyVersion,
  masterKey,
  NOW,
  node,
  statusWith,
  tombstone,
  waiting,
} from "../../testing/objects.ts";
import { nodeViews } from "../nodes/node-views.ts";
import { decideDestruction, type ObservedDestruction } from "./decide-destruction.ts";

const due = { scheduledAt: "2025-12-20T00:00:00Z", deletionDate: "2026-01-02T03:04:05Z" };
const later = { ...due, deletionDate: "2026-01-02T03:04:06Z" };
const v1 = keyVersion(1, { status: { state: "Retired", deletion: due } });
const v2 = keyVersion(2, { status: { state: "Current", deletion: due } });
const wanted = { deletion: { pendingWindowInDays: 7 } };
const asked = masterKey({ spec: wanted, status: { ...statusWith(v2), deletion: due } });
/** Returns the same object, with a deletion that was requested without a count. */
const vouched = <T extends MasterKey | KeyVersion>(object: T): T => ({
  ...object,
  ...(object.kind === "MasterKey" && {
    spec: { ...object.spec, deletion: { pendingWindowInDays: 7, withoutCensus: true } },
  }),
  status: { ...object.status, deletion: { ...due, withoutCensus: true } },
});
const well = [node("one", []), node("two", [])];

const passes: ObservedDestruction = {
  name: { namespace: "apps", name: "secrets" },
  keyId: keyId(1),
  versions: [v1, v2],
  masterKey: asked,
  uses: [],
  unsettled: [],
  nodes: well,
  count: { kind: "counted", stored: () => 0 },
  waiting: waiting([deletionPeriod(1)]),
};
function decide(changes: Partial<ObservedDestruction>, now = NOW): string {
  const plan = decideDestruction({ ...passes, ...changes }, now);
  if (plan.kind === "destroy") return `destroy ${plan.versions.map(({ spec }) => spec.number).join(" ")}`;
  return plan.kind === "wait" ? plan.reason : plan.kind;
}
const use = { reason: "AliasPointsToKey", text: "KeyAlias apps/main" } as const;

describe("destruction", () => {
  test.each<readonly [string, Partial<ObservedDestruction>, string]>([
    ["the date has come and every guard passes => all versions", {}, "destroy 1 2"],
    [
      "the MasterKey was deleted and its versions know of the deletion => all",
      { masterKey: undefined },
      "destroy 1 2",
    ],
    [
      "the MasterKey is gone, and this node never saw it ask => none",
      { masterKey: undefined, waiting: waiting([deletionPeriod(1, { asked: false })]) },
      "DeletionNotAsked",
    ],
    [
      "the same where a MasterKey of that name has another keyId => none",
      {
        masterKey: masterKey({ status: { keyId: keyId(2) } }),
        waiting: waiting([deletionPeriod(1, { asked: false })]),
      },
      "DeletionNotAsked",
    ],
    [
      "this node saw it only now, whatever the dates say => none",
      { waiting: waiting([deletionPeriod(1, { since: NOW.getTime(), until: 0 })]) },
      "WaitingPeriodNotOver",
    ],
    [
      "an API server may still write under a key that its provider has left => none",
      { unsettled: ["provider p of node one"] },
      "NotSettled",
    ],
    ["this node has no record => none", { waiting: waiting() }, "WaitingPeriodNotOver"],
    [
      "clocks disagree => none",
      {
        waiting: waiting([deletionPeriod(1)], {
          time: { kind: "disagree", reason: "ClocksDisagree", message: "by 40 days", doubted: true },
        }),
      },
      "ClocksDisagree",
    ],
    [
      "nobody confirms this node's clock, and it has not seen the time pass => none",
      { waiting: waiting([deletionPeriod(1)], { time: { kind: "agreed", independent: false } }) },
      "TimeNotSeen",
    ],
    [
      "the same, and the MasterKey confirms that the date is past => all",
      {
        masterKey: masterKey({
          spec: { deletion: { pendingWindowInDays: 7, confirmedDueAt: due.deletionDate } },
          status: { ...statusWith(v2), deletion: due },
        }),
        waiting: waiting([deletionPeriod(1)], { time: { kind: "agreed", independent: false } }),
      },
      "destroy 1 2",
    ],
    ["nothing can be counted without etcd => none", { count: { kind: "impossible" } }, "NotCounted"],
    [
      "nothing can be counted, and versions and MasterKey say withoutCensus => all",
      { count: { kind: "impossible" }, versions: [vouched(v1), vouched(v2)], masterKey: vouched(asked) },
      "destroy 1 2",
    ],
    [
      "nothing can be counted, the versions say withoutCensus and the MasterKey is gone => all",
      { count: { kind: "impossible" }, versions: [vouched(v1), vouched(v2)], masterKey: undefined },
      "destroy 1 2",
    ],
    [
      "nothing can be counted, and the MasterKey no longer says withoutCensus => none",
      { count: { kind: "impossible" }, versions: [vouched(v1), vouched(v2)] },
      "NotCounted",
    ],
    [
      "nothing can be counted, and withoutCensus was just taken out, which no status knows yet => none",
      {
        count: { kind: "impossible" },
        versions: [vouched(v1), vouched(v2)],
        masterKey: { ...vouched(asked), spec: asked.spec },
      },
      "NotCounted",
    ],
    [
      "nothing can be counted, and one version does not say withoutCensus => none",
      { count: { kind: "impossible" }, versions: [vouched(v1), v2], masterKey: vouched(asked) },
      "NotCounted",
    ],
    [
      "withoutCensus, and what is stored is counted => by the count",
      { count: { kind: "pending" }, versions: [vouched(v1), vouched(v2)], masterKey: vouched(asked) },
      "Counting",
    ],
    ["what is stored is not counted => none", { count: { kind: "pending" } }, "Counting"],
    [
      "what is stored cannot be counted => none",
      { count: { kind: "failed", message: "etcd is down" } },
      "NotCounted",
    ],
    [
      "not counted and in use => the use is told, and nothing needs counting",
      { count: { kind: "pending" }, uses: [use] },
      "InUse",
    ],
    [
      "one is destroyed already => the other",
      { versions: [tombstone(1, { deletion: due }), v2] },
      "destroy 2",
    ],
    ["all are destroyed => nothing", { versions: [tombstone(1, { deletion: due })] }, "none"],
    ["no version knows of a deletion => nothing", { versions: [keyVersion(1)] }, "none"],
    [
      "a second before the date => nothing",
      { versions: [keyVersion(1, { status: { deletion: later } })] },
      "none",
    ],
    ["a version that does not know of it => stays", { versions: [v1, keyVersion(2)] }, "destroy 1"],
    [
      "the name has passed to another key => the old one's are destroyed",
      { masterKey: masterKey({ status: { keyId: keyId(2) } }) },
      "destroy 1 2",
    ],
    [
      "the deletion was cancelled and the versions do not know yet => guarded",
      { masterKey: masterKey({ status: statusWith(v2) }) },
      "StillWanted",
    ],
    [
      "spec.deletion is taken out, status is not written yet => guarded",
      { masterKey: masterKey({ status: { ...statusWith(v2), deletion: due } }) },
      "StillWanted",
    ],
    [
      "the MasterKey was made again, without a keyId yet => guarded",
      { masterKey: masterKey() },
      "StillWanted",
    ],
    [
      "the MasterKey was made again, its new deletion not due => guarded",
      { masterKey: masterKey({ spec: wanted, status: { ...statusWith(v2), deletion: later } }) },
      "StillWanted",
    ],
    [
      "two edits are unseen, which may have cancelled it and asked for it anew => guarded",
      {
        masterKey: {
          ...asked,
          metadata: { ...asked.metadata, generation: 4 },
          status: { ...asked.status, observedGeneration: 2 },
        },
      },
      "StillWanted",
    ],
    [
      "it asks for a longer window than the one that is over => guarded",
      {
        masterKey: masterKey({
          spec: { deletion: { pendingWindowInDays: 30 } },
          status: { ...statusWith(v2), deletion: due },
        }),
      },
      "StillWanted",
    ],
    ["a provider, an alias or objects => guarded", { uses: [use] }, "InUse"],
    ["no KeyServer => guarded", { nodes: [] }, "NoKeyServers"],
    [
      "a node is silent => guarded",
      { nodes: [node("one", []), node("two", [], { stale: true })] },
      "NodeNotHeardOf",
    ],
    ["a node has a problem => guarded", { nodes: [node("one", [], { problem: "disk" })] }, "NodeNotReady"],
    [
      "a node has just joined and not said what it serves => guarded",
      { nodes: nodeViews([keyServer("one", { versions: 0, prepared: [] })], new Map([["one", +NOW]]), NOW) },
      "NodeNotReady",
    ],
    [
      "nodes have different root keys => guarded: a proof would not open everywhere",
      { nodes: [node("one", [], { rootKeyId: "a" }), node("two", [], { rootKeyId: "b" })] },
      "RootKeysDiffer",
    ],
    [
      "dates that give less than 7 days => guarded: no claviger wrote them",
      {
        versions: [keyVersion(1, { status: { deletion: { ...due, scheduledAt: "2025-12-27T00:00:00Z" } } })],
      },
      "WindowTooShort",
    ],
    [
      "a date that is none => nothing",
      { versions: [keyVersion(1, { status: { deletion: { ...due, deletionDate: "soon" } } })] },
      "none",
    ],
    [
      "a beginning that is none => guarded",
      { versions: [keyVersion(1, { status: { deletion: { ...due, scheduledAt: "once" } } })] },
      "WindowTooShort",
    ],
  ])("%s", (_, changes, expected) => expect(decide(changes)).toBe(expected));

  test("=> says what is in the way and what to do", () => {
    const plan = decideDestruction({ ...passes, nodes: [node("two", [], { stale: true })] }, NOW);
    expect(plan).toMatchObject({
      message: expect.stringMatching(/two \(since .*start their operators, or delete/),
    });
  });
  test("=> gives its reason", () => {
    expect(decideDestruction(passes, NOW)).toMatchObject({
      why: "the deletion of MasterKey apps/secrets that was asked for on 2025-12-20T00:00:00Z came due",
    });
  });
});
