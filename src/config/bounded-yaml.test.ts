import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseAllDocuments, stringify } from "yaml";
import { ClavigerError } from "../errors.ts";
import { MAX_YAML_BYTES, parseYaml } from "./bounded-yaml.ts";

const values = (text: string) => parseYaml(text, "file f").map(({ value }) => value);

/** Returns the parsed value, or the message with which the text is refused. */
function outcome(text: string): unknown {
  try {
    return values(text);
  } catch (error) {
    if (error instanceof ClavigerError && error.code === "ConfigInvalid") return error.message;
    throw error;
  }
}

/** Repeats `unit` up to the longest text that is accepted. */
const filled = (unit: (index: number) => string, before = "", after = "") => {
  const parts = [before];
  let length = before.length + after.length;
  for (let index = 0; ; index += 1) {
    const part = unit(index);
    length += part.length;
    if (length > MAX_YAML_BYTES) return parts.join("") + after;
    parts.push(part);
  }
};

describe("texts at the limit end within seconds, each as it should", () => {
  const refused = (fault: RegExp) => expect.stringMatching(fault);
  const shapes: readonly (readonly [string, string, unknown])[] = [
    ["a mapping of many keys", filled((n) => `k${n}: 1\n`), expect.any(Array)],
    ["the same in braces", filled((n) => `k${n}: 1, `, "{", "}"), expect.any(Array)],
    ["a list", filled(() => "- a\n"), expect.any(Array)],
    ["brackets within brackets", filled(() => "["), refused(/nested too deep$/)],
    ["lists within lists", filled(() => "- "), refused(/nested too deep$/)],
    ["keys within keys", filled(() => "? "), refused(/nested too deep$/)],
    ["mappings in mappings", filled((n) => `${" ".repeat(n)}a:\n`), refused(/nested too deep$/)],
    ["documents", filled(() => "---\na\n"), refused(/begins document 5001, and there may be 5000$/)],
    ["anchors", filled((n) => `- &a${n} x\n`), expect.any(Array)],
    ["aliases", filled(() => "- *a\n", "- &a x\n"), refused(/is one alias too many$/)],
    ["errors", filled(() => "}\n"), refused(/is not YAML/)],
    ["comments", filled(() => "# x\n"), []],
    ["one word", filled(() => "x"), expect.any(Array)],
    [
      "more than that",
      filled(() => "x") + "x".repeat(MAX_YAML_BYTES),
      refused(/has more than \d+ bytes of YAML$/),
    ],
  ];
  test.each(shapes)("%s", { timeout: 120_000 }, (_, text, expected) => {
    expect(outcome(text)).toEqual(expected);
  });
});

test("a key that comes again after twenty thousand others => is found, with its place", {
  timeout: 60_000,
}, () => {
  const keys = Array.from({ length: 20_000 }, (_, n) => `k${n}: 1\n`).join("");
  expect(outcome(`${keys}k77: 2\n`)).toBe(
    "file f: line 20001, column 1 is a key that its mapping has already",
  );
});

describe("a document is refused with the place of its fault", () => {
  test.each([
    ["a key twice", "a: 1\nb: { c: 1, c: 2 }\n", "line 2, column 12 is a key that its mapping has already"],
    [
      "a number and its text as keys",
      'a: { 1: x, "1": y }',
      "line 1, column 12 is a key that its mapping has already",
    ],
    ["a list as a key", "? [a]\n: b\n", "line 1, column 3 is a key that is no text"],
    ["half a list", "a: [1,\n", "line 2, column 1 is not YAML (BAD_INDENT)"],
    ["an alias of nothing", "a: *nothing\n", "its anchors cannot be unfolded"],
  ])("%s", (_, text, message) => {
    expect(outcome(text)).toBe(`file f: ${message}`);
  });

  test("anchors that unfold without end", () => {
    const levels = Array.from({ length: 12 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n},`.repeat(9)}]`);
    expect(outcome(`a0: &a0 x\n${levels.join("\n")}\n`)).toMatch(/^file f: /);
  });
});

describe("any document", () => {
  test("that holds plain data is read as it was written", () => {
    const value = fc.jsonValue({ maxDepth: 4 });
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 3 }), (documents) => {
        const text = documents.map((each) => stringify(each)).join("---\n");
        expect(values(text)).toEqual(parseAllDocuments(text).map((document) => document.toJS()));
      }),
    );
  });

  test("damaged in any way => is read as the parser reads it, or refused without a word of it", () => {
    const base = `apiVersion: v1\nkind: &k "MasterKey"\nmetadata: { name: canary, list: [a, b] }\nspec:\n  - canary: |\n      canary\n    other: *k\n`;
    const edit = fc.record({
      at: fc.nat(base.length),
      remove: fc.nat(12),
      insert: fc.oneof(
        fc.constantFrom(
          "[",
          "{",
          "? ",
          "- ",
          ": ",
          "&a ",
          "*a",
          "!t ",
          "|\n",
          "---\n",
          "...\n",
          "%YAML 9\n",
          '"',
          "\t",
        ),
        fc.string({ unit: "binary", maxLength: 6 }),
      ),
    });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        const text = edits.reduce(
          (now, { at, remove, insert }) => now.slice(0, at) + insert + now.slice(at + remove),
          base,
        );
        const result = outcome(text);
        if (typeof result === "string") expect(result).toMatch(/^file f: [ -~]+$/);
        if (typeof result === "string") expect(result).not.toContain("canary");
        else expect(result).toEqual(parseAllDocuments(text).map((document) => document.toJS()));
      }),
      { numRuns: 1_500 },
    );
  });
});
