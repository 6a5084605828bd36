import { inspect } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseJson } from "./json.ts";

test.each([
  '{"token": canary-of-a-token}',
  '"canary-of-a-token',
  "canary-of-a-token",
  '{"a": "canary-of-a-token",}',
  '["canary-of-a-token"] canary-of-a-token',
])("%s => refused with whose it is, and without a word of it, in no cause either", (text) => {
  const error = thrownBy(() => parseJson(text, "the answer", "ApiServer"));
  expect(error).toMatchObject({ code: "ApiServer" });
  expect(String(error)).toMatch(/^ClavigerError: the answer is not JSON( \(at character \d+\))?$/);
  expect(
    inspect(error, { depth: 9, showHidden: true }).replaceAll(/^.*json\.test\.ts.*$/gm, ""),
  ).not.toContain("canary");
});

test("what is JSON is parsed as by JSON.parse", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      expect(parseJson(text, "it", "Internal")).toEqual(JSON.parse(text));
    }),
  );
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}
