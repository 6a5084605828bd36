import { describe, expect, test } from "vitest";
import { goDuration } from "./go-duration.ts";

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
