import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { guardedLog } from "./repeat-guard.ts";

function guarded() {
  const lines: string[] = [];
  let now = 0;
  const log = guardedLog(
    (level, message) => lines.push(`${level} ${message}`),
    () => now,
  );
  const pass = (milliseconds: number) => {
    now += milliseconds;
  };
  return { log, lines, pass };
}

test("a loop that logs one line twice a second for an hour => 30 lines in ten minutes, and the number of the others", () => {
  const { log, lines, pass } = guarded();
  for (let call = 0; call < 7_200; call += 1) {
    log("warn", "no kubeconfig");
    pass(500);
  }
  expect(lines).toHaveLength(6 * 30 + 5);
  expect(lines[28]).toBe("warn no kubeconfig");
  expect(lines[29]).toBe(
    "warn no kubeconfig (if this line comes again within 10 minutes, it is only counted)",
  );
  expect(lines[30]).toBe("warn 1170 more like this within 10 minutes were not logged: no kubeconfig");
  expect(lines[31]).toBe("warn no kubeconfig");
});

test("two lines by turns => each has its own count, and other lines are not held up", () => {
  const { log, lines } = guarded();
  for (let call = 0; call < 100; call += 1) {
    log("warn", "a");
    log("warn", "b");
  }
  log("info", "c");
  expect(lines).toHaveLength(61);
  expect(lines.at(-1)).toBe("info c");
});

test("lines that differ in a field are different lines", () => {
  const { log, lines } = guarded();
  for (let call = 0; call < 100; call += 1) log("info", "version is current", { key: `k${call}` });
  expect(lines).toHaveLength(100);
});

test("a flood of different lines => its memory is bounded, and a line that was forgotten is new", () => {
  const { log, lines } = guarded();
  for (let call = 0; call < 40; call += 1) log("warn", "old");
  for (let call = 0; call < 1_001; call += 1) log("warn", `line ${call}`);
  lines.length = 0;
  log("warn", "old");
  expect(lines).toEqual(["warn old"]);
});

test("no process logs past the guard: only daemonLog opens a log", () => {
  const openers = readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .filter((name) => /\bstderrLog\(/.test(readFileSync(join(import.meta.dirname, name), "utf8")));
  expect(openers.sort()).toEqual(["cli/terminal/daemon-log.ts", "log.ts"]);
});
