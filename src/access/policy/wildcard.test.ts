import fc from "fast-check";
import { expect, test } from "vitest";
import { matchesWildcard } from "./wildcard.ts";

test.each([
  ["*", "", true],
  ["", "", true],
  ["", "a", false],
  ["?", "", false],
  ["a*c", "abbbc", true],
  ["a*c", "abbbd", false],
  ["*a*b*", "xxaxxbxx", true],
  ["a?c", "abc", true],
  ["a?c", "ac", false],
  ["kms:*Key", "kms:GenerateDataKey", true],
  ["a.c", "abc", false],
])("%j matches %j: %s", (pattern, text, expected) => {
  expect(matchesWildcard(pattern, text)).toBe(expected);
});

/** The definition itself, slow. */
const byDefinition = (pattern: string, text: string): boolean => {
  if (pattern === "") return text === "";
  const rest = pattern.slice(1);
  if (pattern[0] === "*")
    return byDefinition(rest, text) || (text !== "" && byDefinition(pattern, text.slice(1)));
  return text !== "" && (pattern[0] === "?" || pattern[0] === text[0]) && byDefinition(rest, text.slice(1));
};

test("any pattern matches what its definition says", () => {
  const letters = (...of: string[]) => fc.string({ unit: fc.constantFrom(...of), maxLength: 9 });
  fc.assert(
    fc.property(letters("a", "b", "*", "?"), letters("a", "b"), (pattern, text) => {
      expect(matchesWildcard(pattern, text)).toBe(byDefinition(pattern, text));
    }),
    { numRuns: 5_000 },
  );
});

test("a pattern that would hang a regular expression is answered", () => {
  expect(matchesWildcard(`${"a*".repeat(1_000)}b`, "a".repeat(8_000))).toBe(false);
});
