import { expect, test } from "vitest";
import { condition, EARLIER, NOW, NOW_TEXT } from "../testing/objects.ts";
import { rfc3339 } from "../times.ts";
import { conditionOf, withFindings } from "./conditions.ts";

const ready = { type: "Ready", status: "True", reason: "Because", message: "it is so" } as const;

test("no condition before => lastTransitionTime is now", () => {
  expect(withFindings(undefined, [ready], 3, NOW)).toEqual([
    { ...ready, observedGeneration: 3, lastTransitionTime: NOW_TEXT },
  ]);
});

test("the same status again => lastTransitionTime stays", () => {
  const [after] = withFindings([condition("Ready")], [ready], 3, NOW);
  expect(after?.lastTransitionTime).toBe(EARLIER);
});

test("another reason and message, the same status => they are taken and lastTransitionTime stays", () => {
  const finding = { ...ready, reason: "Other", message: "for another reason" };
  expect(withFindings([condition("Ready")], [finding], undefined, NOW)).toEqual([
    { ...finding, lastTransitionTime: EARLIER },
  ]);
});

test("another status => lastTransitionTime is now", () => {
  const [after] = withFindings([condition("Ready", { status: "False" })], [ready], 3, NOW);
  expect(after?.lastTransitionTime).toBe(NOW_TEXT);
});

test("Unknown to False => lastTransitionTime is now", () => {
  const before = [condition("Ready", { status: "Unknown" })];
  const [after] = withFindings(before, [{ ...ready, status: "False" }], 3, NOW);
  expect(after?.lastTransitionTime).toBe(NOW_TEXT);
});

test("a generation that moved on, the same status => observedGeneration moves alone", () => {
  const [after] = withFindings([condition("Ready", { observedGeneration: 2 })], [ready], 3, NOW);
  expect(after).toEqual({ ...ready, observedGeneration: 3, lastTransitionTime: EARLIER });
});

test("no generation => none is stated", () => {
  const [after] = withFindings(undefined, [ready], undefined, NOW);
  expect(after).not.toHaveProperty("observedGeneration");
});

test("conditions of other types => are kept untouched, sorted by type", () => {
  const others = [condition("Zeta"), condition("Alpha")];
  const after = withFindings(others, [ready], undefined, NOW);
  expect(after.map(({ type }) => type)).toEqual(["Alpha", "Ready", "Zeta"]);
  expect(after[2]).toEqual(others[0]);
});

test("the same findings twice => nothing moves, so that nothing is written", () => {
  const once = withFindings(undefined, [ready], 1, NOW);
  expect(withFindings(once, [ready], 1, new Date(NOW.getTime() + 60_000))).toEqual(once);
});

test("what was given is not changed in place", () => {
  const before = Object.freeze([Object.freeze(condition("Ready"))]);
  expect(() => withFindings(before, [{ ...ready, status: "False" }], 1, NOW)).not.toThrow();
});

test("a time is written in whole seconds, UTC", () => {
  expect(rfc3339(NOW)).toBe(NOW_TEXT);
});

test("a condition is found by its type", () => {
  expect(conditionOf([condition("A"), condition("B")], "B")?.type).toBe("B");
  expect(conditionOf([condition("A")], "B")).toBeUndefined();
  expect(conditionOf(undefined, "B")).toBeUndefined();
});
