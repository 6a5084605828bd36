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
  test("a wait of two minutes on a terminal => the time that has passed, in place", () => {
    let now = 0;
    let text = "";
    const line = new ProgressLine(
      { isTTY: true, columns: 80, write: (part) => (text += part) },
      { now: () => now },
    );
    for (; now <= 150_000; now += 500) line.show({ text: "node-b: waiting for its report" });
    expect(text).toContain("\r\x1b[Knode-b: waiting for its report (1 s)");
    expect(text.endsWith("\r\x1b[Knode-b: waiting for its report (3 min)")).toBe(true);
  });
  test("the same elsewhere => a line every thirty seconds, with the time and the counts", () => {
    let now = 0;
    let text = "";
    const line = new ProgressLine({ isTTY: false, write: (part) => (text += part) }, { now: () => now });
    for (; now <= 70_000; now += 500)
      line.show({ text: "Reencrypting", done: now / 500, total: 400, secondsLeft: 200 });
    expect(text).toBe(
      "Reencrypting\nReencrypting (60/400, 3 min left, after 30 s)\nReencrypting (120/400, 3 min left, after 60 s)\n",
    );
  });
  test("beside a command's output, elsewhere => nothing for thirty seconds, then what is new then", () => {
    let now = 0;
    let text = "";
    const output = { isTTY: false, write: (part: string) => (text += part) };
    const line = new ProgressLine(output, { now: () => now, seldom: true });
    for (; now < 30_000; now += 500) line.show({ text: `${now} counted` });
    expect(text).toBe("");
    for (; now <= 60_000; now += 500) line.show({ text: `${now} counted` });
    line.clear();
    expect(text).toBe("30000 counted (after 30 s)\n60000 counted (after 60 s)\n");
  });
  test.each([true, false])("what steers a terminal (on one: %s) => is shown and not obeyed", (isTTY) => {
    const text = written(isTTY, { text: "webhook says \x1b[2J\r\nall is well" });
    expect(text.replaceAll("\r\x1b[K", "")).toMatch(
      /^webhook says \\u001b\[2J\\u000d\\u000aall is well\n?done\n$/,
    );
  });
  test("a narrow terminal => the text is wrapped, none of it is lost, and all of it is cleared", () => {
    let text = "";
    const line = new ProgressLine({ isTTY: true, columns: 21, write: (part) => (text += part) });
    line.show({ text: "waiting for the API servers behind secrets on node-with-a-long-name" });
    expect(text).toBe("\r\x1b[Kwaiting for the API\nservers behind\nsecrets on\nnode-with-a-long-nam\ne");
    text = "";
    line.show({ text: "Verifying" });
    line.end("done");
    expect(text).toBe(`\r\x1b[K${"\x1b[1A\x1b[K".repeat(4)}Verifying\r\x1b[Kdone\n`);
  });
  test("a terminal of few lines => no more than those", () => {
    let text = "";
    const output = { isTTY: true, columns: 11, rows: 3, write: (part: string) => (text += part) };
    new ProgressLine(output).show({ text: "x".repeat(50) });
    expect(text).toBe(`\r\x1b[K${"x".repeat(10)}\n${"x".repeat(10)}`);
  });
});
