import { expect, test } from "vitest";
import { LeaseClocks } from "./lease-clocks.ts";

const T = Date.parse("2026-01-02T03:04:05Z");
const NODES = new Set(["two", "three", "four"]);
const at = (milliseconds: number): string => new Date(T + milliseconds).toISOString();

test("a Lease that has not been renewed under our eyes => its clock is not known, and waited for as long as it may be alive", () => {
  const clocks = new LeaseClocks();
  clocks.hear("two", at(-9_999_999), 0);
  expect(clocks.at(T, 0, NODES)).toEqual({ skews: new Map(), unheard: ["two"] });
  expect(clocks.at(T, 40_001, NODES)).toEqual({ skews: new Map(), unheard: [] });
});

test("a renewal => the clock of that node, for as long as the Lease is fresh, whatever ours does meanwhile", () => {
  const clocks = new LeaseClocks();
  clocks.hear("two", at(0), 0);
  clocks.hear("two", at(3_600_000), 10_000);
  // Ten seconds later our clock has been set back by an hour.
  expect(clocks.at(T - 3_600_000, 20_000, NODES).skews).toEqual(new Map([["two", 7_210_000]]));
  expect(clocks.at(T, 50_001, NODES).skews).toEqual(new Map());
});

test("the same Lease told of again, as after a new list => no renewal", () => {
  const clocks = new LeaseClocks();
  clocks.hear("two", at(0), 0);
  clocks.hear("two", at(0), 30_000);
  expect(clocks.at(T, 30_000, NODES).skews).toEqual(new Map());
});

test("somebody else writes the Lease in between => the time that is farther from ours counts until the Lease would have run out", () => {
  const clocks = new LeaseClocks();
  clocks.hear("two", at(-40 * 86_400_000), 0);
  clocks.hear("two", at(-40 * 86_400_000 + 1_000), 1_000);
  clocks.hear("two", at(2_000), 2_000);
  expect(clocks.at(T, 0, NODES).skews).toEqual(new Map([["two", -40 * 86_400_000]]));
  clocks.hear("two", at(45_000), 45_000);
  expect(clocks.at(T + 45_000, 45_000, NODES).skews).toEqual(new Map([["two", 0]]));
});

test("a Lease that was deleted, and one without a time => no clock", () => {
  const clocks = new LeaseClocks();
  for (const renewTime of [at(0), at(10_000)]) clocks.hear("two", renewTime, 0);
  clocks.forget("two");
  clocks.hear("three", undefined, 0);
  clocks.hear("four", "soon", 0);
  expect(clocks.at(T, 0, NODES)).toEqual({ skews: new Map(), unheard: [] });
});

test("a Lease under the name of no node => no clock", () => {
  const clocks = new LeaseClocks();
  for (const node of ["two", "nobody"]) for (const time of [0, 1_000]) clocks.hear(node, at(time), time);
  clocks.hear("unknown", at(0), 1_000);
  expect(clocks.at(T, 0, NODES)).toEqual({ skews: new Map([["two", 0]]), unheard: [] });
});
