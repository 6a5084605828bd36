import { expect, it } from "vitest";
import { type Goal, goalsTable, isReached } from "./goals.ts";

const atMost: Goal = { what: "a", unit: " ms", value: 250, limit: { atMost: 250 } };
const atLeast: Goal = { what: "b", unit: "×", value: 0.97, limit: { atLeast: 0.97 } };

it.each([
  [atMost, true],
  [{ ...atMost, value: 250.001 }, false],
  [atLeast, true],
  [{ ...atLeast, value: 0.9699 }, false],
])("%j => reached: %s", (goal, expected) => {
  expect(isReached(goal)).toBe(expected);
});

it("the table says limit, value and whether it is reached", () => {
  expect(goalsTable([atMost, { ...atLeast, value: 0.5 }]).rows).toEqual([
    ["a", "≤ 250 ms", "250 ms", "yes"],
    ["b", "≥ 0.97×", "0.500×", "NO"],
  ]);
});
