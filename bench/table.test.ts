import { expect, it } from "vitest";
import { figure, markdownTable, times } from "./table.ts";

it("a table is Markdown whose columns stand under one another, figures to the right", () => {
  const table = markdownTable({
    header: ["", "p50", "ratio"],
    rows: [
      ["Encrypt", "1,234", "1.20×"],
      ["a", "9", ""],
    ],
  });
  expect(table).toBe(
    [
      "|         |   p50 | ratio |",
      "| ------- | ----: | ----: |",
      "| Encrypt | 1,234 | 1.20× |",
      "| a       |     9 |       |",
      "",
    ].join("\n"),
  );
});

it("a row that is too short is filled up", () => {
  expect(markdownTable({ header: ["x", "y"], rows: [["1"]] })).toContain("| 1   |     |");
});

it.each([
  [0, "0.000"],
  [0.1234, "0.123"],
  [1.234, "1.23"],
  [12.34, "12.3"],
  [123.4, "123"],
  [12_345.6, "12,346"],
])("%d is written %s", (value, expected) => {
  expect(figure(value)).toBe(expected);
});

it("a ratio has two digits", () => {
  expect(times(0.974)).toBe("0.97×");
});
