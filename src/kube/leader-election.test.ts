import { describe, expect, test } from "vitest";
import type { KubeClient } from "./client.ts";
import { KubeError } from "./kube-error.ts";
import { decideElection, type ElectionMove, LeaderElector } from "./leader-election.ts";
import type { Lease, LeaseSpec } from "./leases.ts";
import type { KubeRequest } from "./request.ts";

const NOW = Date.parse("2026-01-02T03:04:05.678Z");
const NOW_TEXT = "2026-01-02T03:04:05.678000Z";
const LONG_AGO = "2026-01-01T00:00:00.000000Z";

const lease = (spec?: LeaseSpec): Lease => ({
  metadata: { name: "l", uid: "u", resourceVersion: "7" },
  ...(spec && { spec }),
});
const held = (by: string, more: LeaseSpec = {}): Lease =>
  lease({
    holderIdentity: by,
    leaseDurationSeconds: 15,
    acquireTime: LONG_AGO,
    renewTime: LONG_AGO,
    leaseTransitions: 4,
    ...more,
  });
const seen = (secondsAgo: number) => secondsAgo * 1000;
const brief = (move: ElectionMove) => (move.kind === "follow" ? `follow ${move.holder}` : move.kind);

describe("move", () => {
  const { holderIdentity: _, ...nobody } = held("b").spec ?? {};
  const { leaseDurationSeconds: __, ...noDuration } = held("b").spec ?? {};
  const rows = [
    ["no Lease => take", undefined, 0, "take"],
    ["a Lease without a spec => take", lease(), seen(0), "take"],
    ["nobody's => take", lease(nobody), seen(0), "take"],
    ["given back => take, at once", held(""), seen(0), "take"],
    ["our own => renew", held("a"), seen(0), "renew"],
    ["our own, run out long ago and nobody took it => renew", held("a"), seen(3600), "renew"],
    [
      "another's, seen for the first time => follow, however old its times are",
      held("b"),
      seen(0),
      "follow b",
    ],
    ["another's, just renewed => follow", held("b"), seen(0), "follow b"],
    ["another's, not renewed for as long as it lasts => follow", held("b"), seen(15), "follow b"],
    ["another's, not renewed for longer => take", held("b"), seen(15.001), "take"],
    ["another's that lasts longer => follow", held("b", { leaseDurationSeconds: 60 }), seen(59), "follow b"],
    [
      "another's that is to last for years, not renewed for a minute => take",
      held("b", { leaseDurationSeconds: 2 ** 31 - 1 }),
      seen(61),
      "take",
    ],
    ["another's that lasts less => take", held("b", { leaseDurationSeconds: 5 }), seen(6), "take"],
    ["another's without a duration => our own counts", lease(noDuration), seen(14), "follow b"],
  ] as const;
  test.each(rows)("%s", (_, current, sighting, expected) => {
    expect(brief(decideElection(current, sighting, "a", NOW))).toBe(expected);
  });
});

describe("what is written", () => {
  test("as many transitions as an int32 holds => counted from the start again, as more would be refused", () => {
    const move = decideElection(held("", { leaseTransitions: 2 ** 31 - 1 }), 0, "a", NOW);
    expect(move).toMatchObject({ kind: "take", spec: { leaseTransitions: 0 } });
  });
  test("the first Lease => no transition yet", () => {
    expect(decideElection(undefined, 0, "a", NOW)).toEqual({
      kind: "take",
      spec: {
        holderIdentity: "a",
        leaseDurationSeconds: 15,
        acquireTime: NOW_TEXT,
        renewTime: NOW_TEXT,
        leaseTransitions: 0,
      },
    });
  });
  test("taken from another => one more transition, and acquired now", () => {
    expect(decideElection(held("b"), seen(20), "a", NOW)).toMatchObject({
      spec: { holderIdentity: "a", acquireTime: NOW_TEXT, leaseTransitions: 5 },
    });
  });
  test("renewed => renewTime alone moves", () => {
    expect(decideElection(held("a"), seen(1), "a", NOW)).toEqual({
      kind: "renew",
      spec: { ...held("a").spec, renewTime: NOW_TEXT },
    });
  });
  test("renewed after another duration was configured => ours", () => {
    const move = decideElection(held("a", { leaseDurationSeconds: 60 }), seen(1), "a", NOW);
    expect(move).toMatchObject({ spec: { leaseDurationSeconds: 15 } });
  });
});

describe("a leader whose renewal comes after the last one ran out", () => {
  test("does nothing meanwhile, and begins anew once it leads again: what came meanwhile is not lost", async () => {
    let now = 0;
    let stored: Lease = lease();
    let slow = false;
    const answer = async ({ method, body }: KubeRequest): Promise<unknown> => {
      now += 1_000;
      if (method === "GET") return stored;
      // The renewal before runs out at 10 s, and this one counts from its beginning.
      if (slow) now += 7_500;
      slow = false;
      stored = { ...(body as Lease), metadata: stored.metadata };
      return stored;
    };
    const stop = new AbortController();
    const begun: boolean[] = [];
    const elector = new LeaderElector({
      client: { request: answer } as unknown as KubeClient,
      ref: { namespace: "n", name: "l" },
      identity: "a",
      log: () => undefined,
      onChange(leading) {
        if (leading) begun.push(elector.leading);
        // When it leads for the first time, its next renewal is slow, and later ones are quick.
        if (begun.length === 1) slow = true;
        if (begun.at(-1) === true && begun.length > 1) stop.abort();
      },
      now: () => now,
      retryMilliseconds: 1,
    });
    await elector.run(stop.signal);
    expect(begun.length).toBeGreaterThan(1);
    expect([begun.at(0), begun.at(-1)]).toEqual([true, true]);
  });
});

test("the API server asks to be left alone for a second => no attempt is made before", async () => {
  const stop = new AbortController();
  const calls: number[] = [];
  const elector = new LeaderElector({
    client: {
      request: async () => {
        calls.push(performance.now());
        if (calls.length === 2) stop.abort();
        throw new KubeError(429, "too many requests", { causes: [], retryAfterSeconds: 1 });
      },
    } as unknown as KubeClient,
    ref: { namespace: "n", name: "l" },
    identity: "a",
    log: () => undefined,
    onChange: () => undefined,
    retryMilliseconds: 1,
  });
  await elector.run(stop.signal);
  const [first = 0, second = 0] = calls;
  expect(second - first).toBeGreaterThan(900);
});
