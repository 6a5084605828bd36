import { describe, expect, it } from "vitest";
import { inTurn, median, quantile, Rounds } from "./statistics.ts";

describe("median and quantile", () => {
  it.each([
    [[3], 3],
    [[3, 1, 2], 2],
    [[10, 9, 1, 2], 5.5],
  ])("the median of %j is %d", (values, expected) => {
    expect(median(values)).toBe(expected);
  });

  it.each([
    [0, 1],
    [0.25, 2],
    [0.9, 4.6],
    [1, 5],
  ])("the %d quantile of 5, 4, 3, 2, 1 is %d", (q, expected) => {
    expect(quantile([5, 4, 3, 2, 1], q)).toBeCloseTo(expected);
  });

  it("sorts numbers as numbers, and leaves its input as it was", () => {
    const values = [100, 9, 20];
    expect(median(values)).toBe(20);
    expect(values).toEqual([100, 9, 20]);
  });

  it("nothing measured => an error, not a NaN in a report", () => {
    expect(() => median([])).toThrow("no values");
  });
});

describe("the order of a round", () => {
  it("of two candidates is ab, ba, ba, ab", () => {
    expect([0, 1, 2, 3].map((round) => inTurn(["a", "b"], round).join(""))).toEqual(["ab", "ba", "ba", "ab"]);
  });

  it.each([1, 2, 3, 4])("with %d candidates, each takes each place equally often in one cycle", (count) => {
    const candidates = Array.from({ length: count }, (_, index) => index);
    for (const first of [0, count]) {
      const rounds = candidates.map((_, round) => inTurn(candidates, first + round));
      for (const place of candidates) {
        expect(rounds.map((order) => order[place]).sort()).toEqual(candidates);
      }
    }
  });

  it("the second cycle runs the other way", () => {
    expect(inTurn(["a", "b", "c"], 3)).toEqual(["c", "b", "a"]);
  });
});

describe("rounds", () => {
  function rounds(a: readonly number[], b: readonly number[]): Rounds {
    const made = new Rounds();
    for (const value of a) made.add("a", value);
    for (const value of b) made.add("b", value);
    return made;
  }

  it("the ratio is the median of the rounds' ratios: one slow round does not move it", () => {
    const made = rounds([2, 200, 2], [1, 100, 1]);
    expect(made.ratio("a", "b")).toBe(2);
    expect(made.ratio("b", "a")).toBe(0.5);
    expect(made.median("a")).toBe(2);
  });

  it("a candidate that missed a round => an error", () => {
    expect(() => rounds([1, 2], [1]).ratio("a", "b")).toThrow("a has 2 rounds and b 1");
  });

  it("a candidate that never ran => an error", () => {
    expect(() => rounds([], []).median("a")).toThrow("no values");
  });
});
