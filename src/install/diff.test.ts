import fc from "fast-check";
import { expect, test } from "vitest";
import { lineDiff } from "./diff.ts";

test("shows changed lines with two lines around them", () => {
  const before = "a\nb\nc\nd\ne\nf\n";
  expect(lineDiff(before, before.replace("d", "D"))).toEqual([" b", " c", "-d", "+D", " e", " f"]);
});
test("shows a new file as added and a removed one as removed", () => {
  expect(lineDiff("", "a\nb\n")).toEqual(["+a", "+b"]);
  expect(lineDiff("a\n", "")).toEqual(["-a"]);
});
test("of equal texts is empty", () => {
  expect(lineDiff("a\nb\n", "a\nb\n")).toEqual([]);
});
test("of any texts leads from one to the other", () => {
  const text = fc
    .array(fc.constantFrom("a", "b", "c"), { maxLength: 3 })
    .map((lines) => lines.map((line) => `${line}\n`).join(""));
  fc.assert(
    fc.property(text, text, (before, after) => {
      const lines = lineDiff(before, after);
      if (before === after) return lines.length === 0;
      const side = (sign: string) =>
        lines
          .filter((line) => line[0] !== sign)
          .map((line) => `${line.slice(1)}\n`)
          .join("");
      // Three lines are all within the context of a change.
      return side("+") === before && side("-") === after;
    }),
  );
});
