import { expect, test } from "vitest";
import { allFindings, chain, firstFinding } from "./chain.ts";

const made: string[] = [];
const isEven = (n: number) => (n % 2 === 0 ? undefined : `${n} is odd`);
const isSmall = (n: number) => {
  made.push(`isSmall ${n}`);
  return n < 10 ? undefined : `${n} is large`;
};
const checks = chain<[n: number], string>({ isEven, isSmall });

test("no check objects => nothing is found", () => {
  expect(firstFinding(checks, 4)).toBeUndefined();
});

test("several checks object => the first in order is told, and none after it is made", () => {
  made.length = 0;
  expect(firstFinding(checks, 11)).toBe("11 is odd");
  expect(made).toEqual([]);
  expect(firstFinding(checks, 12)).toBe("12 is large");
});

test("all findings are asked for => each check by its name with what it found", () => {
  const found = allFindings(checks, 11).map(({ check, found }) => [check.name, found]);
  expect(found).toEqual([
    ["isEven", "11 is odd"],
    ["isSmall", "11 is large"],
  ]);
});
