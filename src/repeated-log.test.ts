import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { RepeatedLog } from "./repeated-log.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function recorded(): { readonly lines: string[]; readonly log: RepeatedLog } {
  const lines: string[] = [];
  return { lines, log: new RepeatedLog((level, message) => lines.push(`${level} ${message}`)) };
}

const failure = (message: string, kind = "Decrypt") => ({ kind, level: "warn", message }) as const;

it("a few lines are logged as they come, and nothing follows them", () => {
  const { lines, log } = recorded();
  for (let count = 1; count <= 3; count += 1) log.note(failure(`failure ${count}`));
  vi.runAllTimers();
  expect(lines).toEqual(["warn failure 1", "warn failure 2", "warn failure 3"]);
});

it("of a hundred thousand lines there are ten, and one with the number of the others and the last of them", () => {
  const { lines, log } = recorded();
  for (let count = 1; count <= 100_000; count += 1) log.note(failure(`failure ${count}`));
  vi.runAllTimers();
  expect(lines).toHaveLength(11);
  expect(lines.at(-1)).toBe("warn 99990 more like this within 10 s: failure 100000");
});

it("ten seconds later lines are logged again", () => {
  const { lines, log } = recorded();
  for (let count = 1; count <= 11; count += 1) log.note(failure("failure"));
  vi.runAllTimers();
  log.note(failure("a later failure"));
  expect(lines.at(-1)).toBe("warn a later failure");
});

it("one kind does not hide another", () => {
  const { lines, log } = recorded();
  for (let count = 1; count <= 50; count += 1) log.note(failure("not valid"));
  log.note(failure("not found", "another kind"));
  expect(lines.at(-1)).toBe("warn not found");
});

it("what was only counted is logged at the end", () => {
  const { lines, log } = recorded();
  for (let count = 1; count <= 12; count += 1) log.note(failure("failure"));
  log.close();
  expect(lines.at(-1)).toBe("warn 2 more like this within 10 s: failure");
  expect(vi.getTimerCount()).toBe(0);
});
