import { describe, expect, test } from "vitest";
import { codeOf, messageOf } from "../errors.ts";
import { readGoConfig } from "./go-config.ts";
import { hasNameTwice, looksLikeJson } from "./go-json.ts";
import { readGoYaml, readGoYamlDocuments } from "./go-yaml.ts";
import { indentedWithinBrackets } from "./yaml11.ts";

const refusal = (read: () => unknown): string => {
  try {
    read();
  } catch (error) {
    expect(codeOf(error)).toBe("ConfigInvalid");
    return messageOf(error);
  }
  throw new Error("it was not refused");
};

describe("a scalar, as go-yaml v2 reads it", () => {
  test.each([
    ["yes", true],
    ["Off", false],
    ["n", false],
    ["'no'", "no"],
    ["~", null],
    ["", null],
    ["017", 15],
    ["0o17", 15],
    ["0b101", 5],
    ["0x1F", 31],
    ["08", 8],
    ["2_40", 240],
    ["-1_0.5", -10.5],
    [".5", 0.5],
    ["1e3", 1000],
    ["1e400", "1e400"],
    ["18446744073709551615", 2 ** 64],
    ["12:30", "12:30"],
    ["2026-03-09", "2026-03-09"],
    ["1.2.3", "1.2.3"],
    ["!!str 1", "1"],
    ["!!binary aGk=", "hi"],
    ["!own 1", "1"],
    ["! 1", "1"],
    ["!!float 1", 1],
  ])("%s => %j", (text, value) => {
    expect(readGoYaml(`a: ${text}\n`, "it")).toEqual({ a: value });
  });
  test.each(["!!int a", "!!bool 1", "!!null x", "!!binary ???", ".nan", "-.inf"])(
    "%s => is refused",
    (text) => {
      expect(refusal(() => readGoYaml(`a: ${text}\n`, "it"))).toMatch(/^it: line 1, column \d+ is /);
    },
  );
});

describe("documents", () => {
  const two = "a: 1\n---\nb: [1\n";
  test("an API server's own file => the first alone is read, whatever follows", () => {
    expect(readGoYaml(two, "it")).toEqual({ a: 1 });
    expect(readGoYaml("a: 1\n---\n", "it")).toEqual({ a: 1 });
    expect(readGoYaml("---\na: 1\n...\n", "it")).toEqual({ a: 1 });
  });
  test("manifests => all are read, and one that is wrong refuses them all", () => {
    expect(readGoYamlDocuments("a: 1\n---\n---\nb: yes\n", "it")).toEqual([{ a: 1 }, null, { b: true }]);
    expect(refusal(() => readGoYamlDocuments(two, "it"))).toMatch(/^it: line \d/);
  });
  test("none => undefined", () => {
    expect(readGoYaml("# nothing\n", "it")).toBeUndefined();
  });
});

describe("merges", () => {
  const merged = "base: &base { a: 1, b: 2 }\n";
  test("a key after the merge => replaces it in a manifest, and is refused in an API server's file", () => {
    const text = `${merged}x: { <<: *base, b: 3 }\n`;
    expect(readGoYamlDocuments(text, "it")).toEqual([{ base: { a: 1, b: 2 }, x: { a: 1, b: 3 } }]);
    expect(refusal(() => readGoYaml(text, "it"))).toBe(
      "it: line 2, column 17 is a key that its mapping has already",
    );
  });
  test("a key before the merge => the merge replaces it, as go-yaml has it", () => {
    expect(readGoYamlDocuments(`${merged}x: { b: 3, <<: *base }\n`, "it")).toMatchObject([{ x: { b: 2 } }]);
  });
  test("of several mappings => the first has its way", () => {
    expect(readGoYamlDocuments("x: { <<: [{ a: 1 }, { a: 2, b: 2 }] }\n", "it")).toEqual([
      { x: { a: 1, b: 2 } },
    ]);
  });
  test("a merge without a conflict => is taken in both", () => {
    expect(readGoYaml("x: { <<: { a: 1 }, b: 2 }\n", "it")).toEqual({ x: { a: 1, b: 2 } });
  });
  test("of a text => is refused", () => {
    expect(refusal(() => readGoYaml("x: { <<: y }\n", "it"))).toContain("is merged and is not a mapping");
  });
});

describe("hostile texts", () => {
  test("aliases that unfold without end, or to themselves => are refused quickly", () => {
    const levels = Array.from({ length: 12 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n},`.repeat(9)}]`);
    expect(refusal(() => readGoYaml(`a0: &a0 [x]\n${levels.join("\n")}\n`, "it"))).toContain(
      "alias too many",
    );
    expect(refusal(() => readGoYaml("a: &a [*a]\n", "it"))).toContain("is an alias of what it stands in");
    expect(refusal(() => readGoYaml("a: *b\n", "it"))).toContain("is an alias without an anchor");
  });
  test("a key named like a prototype => is a key like any other", () => {
    const value = readGoYaml("__proto__: { a: 1 }\n", "it");
    expect(Object.entries(value as object)).toEqual([["__proto__", { a: 1 }]]);
    expect(({} as { a?: unknown }).a).toBeUndefined();
  });
  test("a key twice, a key that is no text, tabs, control characters => are refused", () => {
    for (const text of [
      "a: 1\na: 2\n",
      "[a]: 1\n",
      "~: 1\n",
      "a: 1\n\t",
      "a: \u0007\n",
      "a: 1\u2028\n",
      "a: [x?y]\n",
    ])
      expect(refusal(() => readGoYaml(text, "it"))).toMatch(/^it/);
  });
  test("thousands of lines within brackets => do not make the text grow past its bound", () => {
    const text = `a: [\n${"b,\n".repeat(100_000)}]\n`;
    expect(indentedWithinBrackets(text)).toBe(text);
  });
});

describe("lines within brackets or quotes", () => {
  test("may be indented as they like", () => {
    expect(readGoYaml('x:\n  - { a: 1,\nb: "c\nd" }\n  - [\n  e\n  ]\n', "it")).toEqual({
      x: [{ a: 1, b: "c d" }, ["e"]],
    });
  });
  test("brackets in plain text, comments and block scalars open nothing", () => {
    const text = "a: it's {x\nb: x # [\nc: |\n  [ {\n  '\nd: [\nf ]\n";
    expect(readGoYaml(text, "it")).toEqual({ a: "it's {x", b: "x", c: "[ {\n'\n", d: ["f"] });
  });
});

describe("JSON", () => {
  test.each(['{"a":1}', "\n \t{", "\u00a0{", "\u0085{"])("%j => looks like JSON", (text) => {
    expect(looksLikeJson(text)).toBe(true);
  });
  test.each(["\uFEFF{", "a: {", "", "[{}]"])("%j => does not", (text) => {
    expect(looksLikeJson(text)).toBe(false);
  });
  test.each([
    ['{"a":1,"b":{"a":1},"c":["a","a"]}', false],
    ['{"a":1,"a":2}', true],
    ['{"a":1,"\\u0061" :2}', true],
    ['{"x":{"b":1,"c":[{"b":1},{"b":1}]}}', false],
    ['{"x":"\\"a\\":","y":"\\"a\\":"}', false],
  ])("%s has a name twice: %j", (text, twice) => {
    expect(hasNameTwice(text)).toBe(twice);
  });
  test("that is none => is refused without a word of the text", () => {
    expect(refusal(() => readGoConfig('{"a": secret}', "it"))).toBe("it begins with a brace and is not JSON");
    expect(refusal(() => readGoConfig('{"a":1,"a":2}', "it"))).toBe("it has a field twice in one object");
  });
});
