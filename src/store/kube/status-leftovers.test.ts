import { expect, test } from "vitest";
import { statusCorrection } from "./status-leftovers.ts";

test("the same => nothing to correct, absent and undefined fields alike", () => {
  expect(statusCorrection({ a: 1, b: { c: [1] } }, { a: 1, b: { c: [1] }, d: undefined })).toBeUndefined();
  expect(statusCorrection(undefined, {})).toBeUndefined();
});

test("fields that are not wanted => are taken out at any depth, and the others stay", () => {
  const stored = { keyId: "x", rotation: { running: { number: 9 }, handledToken: "a" }, foreign: true };
  expect(statusCorrection(stored, { keyId: "x", rotation: { handledToken: "a" } })).toEqual({
    rotation: { running: null },
    foreign: null,
  });
});

test("a list with items that are not wanted => is replaced as a whole", () => {
  const [ours, theirs] = [{ type: "Ready" }, { type: "Foreign" }];
  expect(statusCorrection({ conditions: [theirs, ours] }, { conditions: [ours] })).toEqual({
    conditions: [ours],
  });
});
