import { expect, test } from "vitest";
import { type ColourFacts, wantsColour } from "./colour.ts";

const facts: ColourFacts = {
  when: undefined,
  noColor: undefined,
  forceColor: undefined,
  term: "xterm",
  isTerminal: true,
};

test.each<[string, Partial<ColourFacts>, boolean]>([
  ["a terminal", {}, true],
  ["a pipe", { isTerminal: false }, false],
  ["a terminal without colours", { term: "dumb" }, false],
  ["NO_COLOR=1", { noColor: "1" }, false],
  ["NO_COLOR is empty", { noColor: "" }, true],
  ["FORCE_COLOR=1 in a pipe", { forceColor: "1", isTerminal: false }, true],
  ["FORCE_COLOR=0 on a terminal", { forceColor: "0" }, false],
  ["NO_COLOR and FORCE_COLOR", { noColor: "1", forceColor: "1" }, false],
  ["--color always in a pipe, with NO_COLOR", { when: "always", noColor: "1", isTerminal: false }, true],
  ["--color never on a terminal, with FORCE_COLOR", { when: "never", forceColor: "1" }, false],
])("%s => colours: %#", (_, changes, expected) => {
  expect(wantsColour({ ...facts, ...changes })).toBe(expected);
});
