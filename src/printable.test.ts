import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { oneLine, printable, printableJson, printableLines } from "./printable.ts";

/**
 * Written independently of the code's own list: characters that could mislead a terminal, a log reader or a
 * person.
 */
const HOSTILE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|\p{Cs}/u;

const hostileCharacter = fc.oneof(
  fc.constantFrom(..."\x00\x07\b\t\n\r\x1b\x7f\x85\x90\x9b\x9d\u061c\u200b\u200d\u200e\u200f\u2028\u2029"),
  fc.constantFrom(..."\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2060\ufeff\u00ad\ufff9"),
  fc.constantFrom(
    "\ud800",
    "\udfff",
    "\u{e0001}",
    "\u{e0041}",
    "\\",
    "\\u",
    "\\u001b",
    '"',
    "\x1b]0;title\x07",
  ),
  fc.string({ unit: "binary", maxLength: 4 }),
);
const hostileText = fc.array(hostileCharacter, { maxLength: 40 }).map((parts) => parts.join(""));

/** Restores the original text, as a reader would. */
const unescaped = (text: string): string =>
  text.replaceAll(/\\u([0-9a-f]{4})/g, (_, unit: string) => String.fromCharCode(Number.parseInt(unit, 16)));

describe("any text at all", () => {
  test("comes out in one line, without anything that steers a terminal, and can be told from what is shown", () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const shown = printable(text);
        expect(shown).not.toMatch(HOSTILE);
        expect(unescaped(shown)).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });

  test("in a message of several lines => one line", () => {
    expect(oneLine("a\r\n\r\nb\x1b[2J\n")).toBe("a b\\u001b[2J");
    fc.assert(fc.property(hostileText, (text) => void expect(oneLine(text)).not.toMatch(HOSTILE)));
  });

  test("in a whole output => only the newlines stay", () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const shown = printableLines(text);
        expect(shown.replaceAll("\n", "")).not.toMatch(HOSTILE);
        expect(shown.split("\n")).toHaveLength(text.split("\n").length);
      }),
    );
  });

  test("as JSON => a program reads it back as it was", () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const json = printableJson({ [text]: [text] });
        expect(json).not.toMatch(HOSTILE);
        expect(JSON.parse(json)).toEqual({ [text]: [text] });
      }),
    );
  });
});

test.each([
  "naïve café → 日本語 🔑",
  "root key /etc/claviger/root.key has mode 0644; run: chmod 600",
  "a \\d+ b",
])("%s stays as it is", (text) => expect(printable(text)).toBe(text));

test("a text without end => is cut off, which is said, also in the middle of a character", () => {
  expect(printable("x".repeat(20_000))).toBe(`${"x".repeat(8_192)}… (11808 characters more)`);
  expect(printable("🔑🔑", 3)).toBe("🔑\\ud83d… (1 characters more)");
});
