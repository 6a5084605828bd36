import { describe, expect, test } from "vitest";
import { durationNanoseconds, goDuration } from "./go-duration.ts";

describe("a duration as Go writes it => milliseconds", () => {
  test.each([
    ["3s", 3_000],
    ["500ms", 500],
    ["1m30s", 90_000],
    ["1.5h", 5_400_000],
    [".5s", 500],
    ["1.s", 1_000],
    ["250us", 0.25],
    ["250µs", 0.25],
    ["1000000ns", 1],
    ["+2s", 2_000],
    ["-2s", -2_000],
    ["0", 0],
  ])("%s => %d", (text, milliseconds) => {
    expect(goDuration(text)).toBe(milliseconds);
  });

  test.each(["", "3", "s", "3 s", "3s ", "1d", ".s", "3S", "1h-3s"])("%j => none", (text) => {
    expect(goDuration(text)).toBeUndefined();
  });
});

describe("the edges of what Go counts", () => {
  test.each([
    ["2562047h47m16.854775807s", 2n ** 63n - 1n],
    ["2562047h47m16.854775808s", undefined],
    ["-2562047h47m16.854775808s", -(2n ** 63n)],
    [`3.${"1".repeat(40)}s`, 3_111_111_111n],
    [`${"0".repeat(40)}3s`, 3_000_000_000n],
    [`${"9".repeat(100_000)}s`, undefined],
    ["0.1ns", 0n],
    ["1.5.3s", undefined],
  ])("%.30s => %j nanoseconds", (text, nanoseconds) => {
    expect(durationNanoseconds(text)).toBe(nanoseconds);
  });
});
