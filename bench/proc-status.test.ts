import { expect, it } from "vitest";
import { parseCpuMilliseconds, parseStatus } from "./proc-status.ts";

it("a status is read in MB, each field by its own line", () => {
  const text =
    "Name:\tnode\nVmHWM:\t   78125 kB\nVmRSS:\t   62500 kB\nRssAnon:\t   31250 kB\nRssFile:\t 1 kB\n";
  expect(parseStatus(text)).toEqual({ rss: 64, anonymous: 32, peak: 80 });
});

it("a status without memory, as a zombie's is => an error that names the field", () => {
  expect(() => parseStatus("Name:\tnode\nState:\tZ (zombie)\n")).toThrow("no VmRSS");
});

it("CPU time is read behind a name with spaces and brackets", () => {
  const text = "42 (node) (x y) S 1 42 42 0 -1 4194560 9 0 0 0 123 45 0 0 20 0 11 0 5 6 7";
  expect(parseCpuMilliseconds(text)).toBe(1_680);
});

it("a stat that is cut off => an error", () => {
  expect(() => parseCpuMilliseconds("42 (node) S 1 42")).toThrow("no CPU time");
});
