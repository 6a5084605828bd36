import { describe, expect, test } from "vitest";
import type { WaitingPeriod } from "../../keyring/tables/waiting-periods.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import {
  deletionPeriod,
  EARLIER,
  keyId,
  keyVersion,
  masterKey,
  NOW,
  NOW_TEXT,
  statusWith,
  tombstone,
  waiting,
} from "../../testing/objects.ts";
import { decidePeriods, type ObservedPeriods } from "./decide-periods.ts";

const DAY = 86_400_000;
const now = NOW.getTime();
const scheduled = Date.parse(NOW_TEXT);
const deletion = { scheduledAt: NOW_TEXT, deletionDate: "2026-01-16T03:04:05Z" };
const forged = { scheduledAt: "2025-01-01T00:00:00Z", deletionDate: "2025-01-15T00:00:00Z" };
const version = (dates = deletion): KeyVersion => keyVersion(1, { status: { deletion: dates } });
const asking = (dates = deletion, days = 14): MasterKey =>
  masterKey({
    spec: { deletion: { pendingWindowInDays: days } },
    status: { ...statusWith(keyVersion(1)), deletion: dates },
  });

function decide(changes: Partial<ObservedPeriods>, at = NOW) {
  const observed = { ...waiting(), masterKeys: [], keyVersions: [], held: () => new Set([keyId(1)]) };
  return decidePeriods({ ...observed, ...changes }, at);
}
const recorded = (...periods: readonly WaitingPeriod[]) => waiting(periods).periods;

describe("the record of a deletion", () => {
  test("seen just after it was accepted => begins as stated, on every node alike", () => {
    expect(decide({ masterKeys: [asking()], keyVersions: [version()] }).put).toEqual([
      {
        ...{ kind: "deletion", subject: keyId(1), since: scheduled, length: 14 * DAY },
        ...{ until: Date.parse(deletion.deletionDate), seenAt: 0, agreed: true, asked: true },
      },
    ]);
  });
  test("with dates of before the object was made => begins now, for the period that the spec asks for", () => {
    const [period] = decide({ masterKeys: [asking(forged)], keyVersions: [version(forged)] }).put;
    expect(period).toMatchObject({ since: now, length: 14 * DAY });
  });
  test("dates that move earlier => the recorded end stands", () => {
    const period = deletionPeriod(1, {
      since: scheduled,
      until: Date.parse(deletion.deletionDate),
      length: 14 * DAY,
    });
    const changes = decide({
      periods: recorded(period),
      masterKeys: [asking(forged)],
      keyVersions: [version(forged)],
    });
    expect(changes).toEqual({ put: [], drop: [] });
  });
  test("dates that move later => the later end, but none that claviger could not have stated", () => {
    const period = deletionPeriod(1, { since: scheduled });
    const far = { ...deletion, deletionDate: "9999-12-31T00:00:00Z" };
    const [later] = decide({ periods: recorded(period), keyVersions: [version()] }).put;
    expect(later?.until).toBe(Date.parse(deletion.deletionDate));
    const [bounded] = decide({ periods: recorded(period), keyVersions: [version(far)] }).put;
    expect(bounded?.until).toBeLessThan(now + 31 * DAY);
  });
  test("the MasterKey no longer asks for it => the record goes, so that the next deletion has its whole period", () => {
    const period = deletionPeriod(1);
    const kept = masterKey({ status: { ...statusWith(keyVersion(1)), deletion } });
    const changes = decide({ periods: recorded(period), masterKeys: [kept], keyVersions: [version()] });
    expect(changes).toEqual({ put: [], drop: [period] });
  });
  test("the MasterKey is gone => no cancellation", () => {
    const period = deletionPeriod(1, {
      since: scheduled,
      until: Date.parse(deletion.deletionDate),
      length: 14 * DAY,
    });
    expect(decide({ periods: recorded(period), keyVersions: [version()] })).toEqual({ put: [], drop: [] });
  });
  test("of a key that this node does not have => none, however many are invented", () => {
    expect(decide({ keyVersions: [version()], held: () => new Set() }).put).toEqual([]);
  });
  test("the MasterKey is gone and was never seen to ask => recorded as not asked for", () => {
    expect(decide({ keyVersions: [version()] }).put).toMatchObject([{ asked: false }]);
  });
  test("another MasterKey than the versions name has the keyId and asks => not asked for", () => {
    const foreign = { ...asking(), metadata: { ...asking().metadata, namespace: "foreign" } };
    expect(decide({ masterKeys: [foreign], keyVersions: [version()] }).put).toMatchObject([{ asked: false }]);
  });
  test("destroyed, and nothing of it left here => the record goes; while this node holds it, it stays", () => {
    const period = deletionPeriod(1);
    const gone = { periods: recorded(period), keyVersions: [tombstone(1, { deletion })] };
    expect(decide(gone).drop).toEqual([]);
    expect(decide({ ...gone, held: () => new Set() }).drop).toEqual([period]);
  });
  test("begun by a clock that nobody confirmed => once others do, it began as long ago as time was seen to pass", () => {
    const wrong = deletionPeriod(1, { since: now - 40 * DAY, until: 0, agreed: false, seenAt: 1_000 });
    const [period] = decide({
      periods: recorded(wrong),
      keyVersions: [version(forged)],
      seen: 1_000 + 2 * DAY,
    }).put;
    expect(period).toMatchObject({ since: now - 2 * DAY, agreed: true });
  });
  test("while clocks disagree => no date is taken from anybody", () => {
    const time = { kind: "disagree", reason: "ClocksDisagree", message: "", doubted: true } as const;
    const [period] = decide({ time, keyVersions: [version()] }, new Date(now + 400 * DAY)).put;
    expect(period).toMatchObject({ until: 0, agreed: false });
  });
});

describe("the record of a retention", () => {
  const current = statusWith(keyVersion(2));
  const kmsKeyId = current.currentVersion?.kmsKeyId ?? "";
  const done = { kmsKeyId, phase: "Complete", verified: true, completedAt: "2020-01-01T00:00:00Z" };
  const key = (reencryption: object, policy: "Destroy" | "Keep" = "Destroy"): MasterKey =>
    masterKey({
      spec: { retention: { policy, afterDays: 7 } },
      status: { ...current, reencryption } as NonNullable<MasterKey["status"]>,
    });

  test("complete and verified under the current version => begins when it is seen, whatever the status says", () => {
    expect(decide({ masterKeys: [key(done)] }).put).toMatchObject([
      { kind: "retention", subject: kmsKeyId, since: now },
    ]);
  });
  test.each([
    ["unverified", { ...done, verified: false }],
    ["of an earlier version", { ...done, kmsKeyId: "0" }],
    ["not complete", { ...done, phase: "Verifying" }],
  ])("%s => none, and one that was begun goes", (_, reencryption) => {
    const period: WaitingPeriod = { ...deletionPeriod(1), kind: "retention", subject: kmsKeyId };
    const masterKeys = [key(reencryption)];
    expect(decide({ masterKeys }).put).toEqual([]);
    expect(decide({ masterKeys, periods: recorded(period) }).drop).toEqual([period]);
  });
  test("taken back for an API server's restart, and no census has found anything else => it lasts", () => {
    const period: WaitingPeriod = { ...deletionPeriod(1), kind: "retention", subject: kmsKeyId };
    const masterKeys = [key({ ...done, phase: "Verifying", verified: false, provenSince: EARLIER })];
    expect(decide({ masterKeys, periods: recorded(period) }).drop).toEqual([]);
  });
  test("a policy that keeps => none", () => {
    expect(decide({ masterKeys: [key(done, "Keep")] }).put).toEqual([]);
  });
});
