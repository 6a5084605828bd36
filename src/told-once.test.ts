import { expect, test } from "vitest";
import { ToldOnce } from "./told-once.ts";

function telling() {
  const lines: string[] = [];
  let now = 0;
  const trouble = new ToldOnce(
    (level, message) => lines.push(`${level} ${message}`),
    () => now,
  );
  const pass = (milliseconds: number) => {
    now += milliseconds;
  };
  return { trouble, lines, pass };
}

test("the same trouble every second for 25 minutes => a line every ten minutes, with how often it came", () => {
  const { trouble, lines, pass } = telling();
  for (let second = 0; second < 1_500; second += 1) {
    trouble.meet("no answer");
    pass(1_000);
  }
  trouble.end("it works again");
  expect(lines).toEqual([
    "warn no answer",
    "warn no answer; 599 more like the one before",
    "warn no answer; 599 more like the one before",
    "info it works again after 1500 failures",
  ]);
});

test("another trouble => is told at once", () => {
  const { trouble, lines } = telling();
  trouble.meet("no answer");
  trouble.meet("forbidden");
  expect(lines).toEqual(["warn no answer", "warn forbidden"]);
});

test("two troubles by turns => each is told once in ten minutes", () => {
  const { trouble, lines, pass } = telling();
  for (let second = 0; second < 601; second += 1) {
    trouble.meet(second % 2 === 0 ? "no answer" : "forbidden");
    pass(1_000);
  }
  expect(lines).toEqual(["warn no answer", "warn forbidden", "warn no answer; 299 more like the one before"]);
});

test("one failure that passes => no second line, and the next one is told again", () => {
  const { trouble, lines } = telling();
  trouble.meet("no answer");
  trouble.end("it works again");
  trouble.end("it works again");
  trouble.meet("no answer");
  expect(lines).toEqual(["warn no answer", "warn no answer"]);
});
