import { expect, test } from "vitest";
import { NameWatch } from "./name-watch.ts";

const OURS = "node-1/ours";

/** Returns, for each look at the Lease, if the name counts as shared. */
function looks(...holders: readonly (string | undefined)[]): boolean[] {
  const watch = new NameWatch(OURS);
  return holders.map((holder, renewal) => watch.saw(holder, String(renewal)));
}

test("our renewals fail, and a former life's Lease is seen again and again => ours alone", () => {
  const watch = new NameWatch(OURS);
  const seen = [1, 2, 3, 4].map(() => watch.saw("node-1/before", "17"));
  expect(seen).toEqual([false, false, false, false]);
});

test("no Lease yet, then always our own => ours alone", () => {
  expect(looks(undefined, OURS, OURS, OURS)).toEqual([false, false, false, false]);
});
test("a former life's Lease at our first look => ours alone", () => {
  expect(looks("node-1/before", OURS, OURS)).toEqual([false, false, false]);
});
test("a former life's last write came after our first => ours alone", () => {
  expect(looks("node-1/before", "node-1/before", OURS, OURS)).toEqual([false, false, false, false]);
});
test("somebody else renews it between our renewals => shared", () => {
  expect(looks(undefined, "node-1/other", "node-1/other")).toEqual([false, false, true]);
});
test("a release of before, which has no instance => shared too", () => {
  expect(looks(undefined, "node-1", "node-1")).toEqual([false, false, true]);
});
test("its renewals do not come between each two of ours => still shared", () => {
  expect(looks(undefined, "other", OURS, "other", OURS, OURS)).toEqual([
    false,
    false,
    false,
    true,
    true,
    true,
  ]);
});
test("nobody else renews it for some time => ours alone again, and it may be shared anew", () => {
  expect(looks(undefined, "other", "other", OURS, OURS, OURS, "other", "other")).toEqual([
    ...[false, false, true, true, true, false],
    ...[false, true],
  ]);
});
test("it was deleted => nothing is concluded from that", () => {
  expect(looks(undefined, "other", undefined, "other")).toEqual([false, false, false, true]);
});
