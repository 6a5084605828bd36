import { expect, test } from "vitest";
import { NodeHearing } from "./node-hearing.ts";
import { NODE_LEASE_SECONDS } from "./node-leases.ts";

const START = Date.parse("2026-01-02T03:04:05Z");

/**
 * Times in seconds since START: when the node renews by its own clock, and when we read it by each of our
 * clocks.
 */
function heard(
  events: readonly { readonly renewed: number; readonly read: number; readonly monotonic?: number }[],
) {
  const hearing = new NodeHearing();
  for (const { renewed, read, monotonic = read } of events) {
    const arrival = { now: START + read * 1000, came: monotonic * 1000 };
    hearing.hear("node-2", START + renewed * 1000, arrival);
  }
  return ((hearing.heardOf.get("node-2") ?? Number.NaN) - START) / 1000;
}
const steady = (from: number, to: number, skew = 0) =>
  Array.from({ length: (to - from) / 10 + 1 }, (_, n) => ({
    renewed: from + n * 10 + skew,
    read: from + n * 10,
  }));

test("renewals are read as they come => heard of at the last one, whatever the node's clock says", () => {
  expect(heard(steady(0, 50))).toBe(50);
  expect(heard(steady(0, 50, 3600))).toBe(50);
  expect(heard(steady(0, 50, -3600))).toBe(50);
});

test("this process is stopped for five minutes, and the node died after one => it is not heard of since", () => {
  const buffered = [10, 20, 30, 40, 50, 60].map((renewed) => ({ renewed: renewed + 50, read: 350 }));
  expect(heard([...steady(0, 50), ...buffered])).toBeCloseTo(110);
});

test("this process is stopped for five minutes, and the node lives => it is heard of at once", () => {
  const buffered = Array.from({ length: 30 }, (_, n) => ({ renewed: 60 + n * 10, read: 350 }));
  expect(heard([...steady(0, 50), ...buffered])).toBeCloseTo(350);
});

test("the whole machine is paused, its clocks too => nobody is heard of until a renewal is seen as it comes", () => {
  const buffered = [60, 70, 80, 90].map((renewed) => ({ renewed, read: 50 }));
  const paused = [...steady(0, 50), ...buffered];
  expect(50 - heard(paused)).toBeGreaterThan(NODE_LEASE_SECONDS);
  expect(heard([...paused, { renewed: 350, read: 51 }])).toBeLessThan(51 - NODE_LEASE_SECONDS);
  expect(heard([...paused, { renewed: 350, read: 51 }, { renewed: 360, read: 61 }])).toBe(61);
});

test("the node's clock is set back or forward => it is heard of again with the next renewal at the latest", () => {
  expect(heard([...steady(0, 50), { renewed: -3540, read: 60 }, { renewed: -3530, read: 70 }])).toBe(70);
  expect(heard([...steady(0, 50), { renewed: 3660, read: 60 }, { renewed: 3670, read: 70 }])).toBe(70);
});

test("our own clock is set back or forward => that is no delay", () => {
  const jumped = { renewed: 60, read: 3660, monotonic: 60 };
  expect(heard([...steady(0, 50), jumped])).toBe(3660);
  expect(heard([...steady(0, 50), { ...jumped, read: -3540 }])).toBe(-3540);
});

test("somebody edits the Lease and does not renew it => the node is not heard of by that", () => {
  expect(heard([...steady(0, 50), { renewed: 50, read: 80 }])).toBe(50);
});

test("a renewTime that cannot be read => there is such a node, which is heard of as before", () => {
  const hearing = new NodeHearing();
  hearing.hear("node-2", undefined, { now: START, came: 0 });
  expect(hearing.heardOf.get("node-2")).toBeLessThan(START - 40_000);
  hearing.hear("node-2", START, { now: START, came: 0 });
  hearing.hear("node-2", undefined, { now: START + 5_000, came: 5_000 });
  expect(hearing.heardOf.get("node-2")).toBe(START);
});

test("the list after a lost watch shows a renewal of long ago => it does not count as heard now", () => {
  expect(heard([...steady(0, 50), { renewed: 60, read: 400 }])).toBeCloseTo(60);
});
