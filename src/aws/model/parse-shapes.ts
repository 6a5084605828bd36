import type { Member, Pattern, Range, Shape } from "./shape.ts";

const RANGE = /^(\d*)\.\.(\d*)$/;
const PATTERN = " ~ ";

/** Returns the lines of a part of the service model by their first word. */
export function linesByName(text: string): ReadonlyMap<string, string> {
  const lines = text.trim().split("\n");
  return new Map(
    lines.map((line) => {
      const space = line.indexOf(" ");
      return space < 0 ? [line, ""] : [line.slice(0, space), line.slice(space + 1)];
    }),
  );
}

/** Reads "MEMBER=SHAPE MEMBER*=SHAPE …". */
export function parseStructure(line: string): Shape {
  const members = wordsOf(line).map((word): Member => {
    const [name = "", shape = ""] = word.split("=");
    const required = name.endsWith("*");
    return { name: required ? name.slice(0, -1) : name, shape, required };
  });
  return { kind: "structure", members };
}

/** Reads "TYPE [MIN..MAX] [SHAPE or VALUE …] [sensitive] [~ PATTERN]". No value is ever shown, sensitive or not. */
export function parseValue(line: string): Shape {
  const at = line.indexOf(PATTERN);
  const [type = "", ...words] = wordsOf(at < 0 ? line : line.slice(0, at));
  const range = rangeOf(words.find((word) => RANGE.test(word)));
  const names = words.filter((word) => !RANGE.test(word) && word !== "sensitive");
  switch (type) {
    case "string":
      return {
        kind: "string",
        ...range,
        ...(at >= 0 && { pattern: patternOf(line.slice(at + PATTERN.length)) }),
        ...(names.length > 0 && { values: new Set(names) }),
      };
    case "list":
      return { kind: "list", ...range, member: names[0] ?? "" };
    case "blob":
    case "integer":
    case "map":
      return { kind: type, ...range };
    case "boolean":
    case "timestamp":
      return { kind: type };
    default:
      throw new Error(`the service model has a type that is not known: ${type}`);
  }
}

const wordsOf = (text: string): string[] => text.split(" ").filter((word) => word !== "");

function rangeOf(word: string | undefined): Range {
  const [, min, max] = RANGE.exec(word ?? "") ?? [];
  return { ...(min && { min: Number(min) }), ...(max && { max: Number(max) }) };
}

/** Java's \s has ASCII characters only, and AWS matches whole values. */
const patternOf = (text: string): Pattern => ({
  text,
  expression: new RegExp(`^(?:${text.replaceAll("\\s", " \\t\\n\\v\\f\\r")})$`),
});
