import { expect, test } from "vitest";
import { nextParallelism } from "./parallelism.ts";

const calm = { parallelism: 8, succeeded: 0, pushedBack: false, max: 32 };

test.each([
  ["nothing was answered yet => as before", {}, 8],
  ["fewer answers than a round => as before", { succeeded: 7 }, 8],
  ["a round of good answers => one more", { succeeded: 8 }, 9],
  ["a round at the limit => no more", { parallelism: 32, succeeded: 32 }, 32],
  ["the server pushes back => half", { pushedBack: true }, 4],
  ["the server pushes back after good answers => half", { succeeded: 8, pushedBack: true }, 4],
  ["an odd number is pushed back => half of it, rounded down", { parallelism: 7, pushedBack: true }, 3],
  ["one call is pushed back => still one", { parallelism: 1, pushedBack: true }, 1],
  ["one call was good => two", { parallelism: 1, succeeded: 1 }, 2],
  ["the limit is one => one", { parallelism: 1, succeeded: 1, max: 1 }, 1],
  ["the limit is below what is used => the limit", { max: 4 }, 4],
] as const)("%s", (_, observed, expected) => {
  expect(nextParallelism({ ...calm, ...observed })).toBe(expected);
});
