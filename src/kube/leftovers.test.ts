import { expect, test } from "vitest";
import { leftovers } from "./leftovers.ts";

test.each([
  ["nothing else => no patch", { a: 1, b: { c: 2 } }, { a: 1, b: { c: 2 } }, undefined],
  ["a field that was not applied => is taken out", { a: 1, b: 2 }, { a: 1 }, { b: null }],
  ["one further in => is taken out alone", { b: { c: 2, d: 3 } }, { b: { c: 2 } }, { b: { d: null } }],
  [
    "an item of a list that was not applied => the list is as applied",
    { prepared: [{ name: "a" }, { name: "forged" }] },
    { prepared: [{ name: "a" }] },
    { prepared: [{ name: "a" }] },
  ],
  [
    "a condition of somebody else => stays",
    { conditions: [{ type: "Ready" }, { type: "Theirs" }] },
    { conditions: [{ type: "Ready" }] },
    undefined,
  ],
  ["what the API server wrote in another way => stays", { a: "1.0" }, { a: "1" }, undefined],
])("%s", (_, actual, applied, expected) => {
  expect(leftovers(actual, applied)).toEqual(expected);
});
