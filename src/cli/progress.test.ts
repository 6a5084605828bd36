import { describe, expect, test } from "vitest";
import { type Progress, ProgressLine } from "./progress.ts";

function written(isTTY: boolean, ...states: readonly Progress[]): string {
  let text = "";
  const line = new ProgressLine({ isTTY, columns: 100, write: (part) => (text += part) });
  for (const state of states) line.show(state);
  line.end("done");
  return text;
}

describe("progress", () => {
  test("on a terminal => one line with a bar, drawn anew", () => {
    const text = written(
      true,
      { text: "Reencrypting", done: 1, total: 4, secondsLeft: 9 },
      { text: "Verifying" },
    );
    expect(text).toBe(
      "\r\x1b[K[########----------------------] 25 % 1/4, 9 s left  Reencrypting\r\x1b[KVerifying\r\x1b[Kdone\n",
    );
  });
  test("elsewhere => a plain line for each new text, none twice", () => {
    const half = { text: "Reencrypting", done: 1, total: 2 };
    expect(written(false, half, { ...half, done: 2 }, { text: "Verifying" })).toBe(
      "Reencrypting\nVerifying\ndone\n",
    );
  });
  test.each([true, false])("what steers a terminal (on one: %s) => is shown and not obeyed", (isTTY) => {
    const text = written(isTTY, { text: "webhook says \x1b[2J\r\nall is well" });
    expect(text.replaceAll("\r\x1b[K", "")).toMatch(
      /^webhook says \\u001b\[2J\\u000d\\u000aall is well\n?done\n$/,
    );
  });
  test("a narrow terminal => nothing wraps", () => {
    let text = "";
    new ProgressLine({ isTTY: true, columns: 10, write: (part) => (text += part) }).show({
      text: "x".repeat(50),
    });
    expect(text).toBe(`\r\x1b[K${"x".repeat(9)}`);
  });
});
