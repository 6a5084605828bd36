import { expect, it } from "vitest";
import { parseStatus } from "./proc-status.ts";

it("a status is read in MB, each field by its own line", () => {
  const text =
    "Name:\tnode\nVmHWM:\t   78125 kB\nVmRSS:\t   62500 kB\nRssAnon:\t   31250 kB\nRssFile:\t 1 kB\n";
  expect(parseStatus(text)).toEqual({ rss: 64, anonymous: 32, peak: 80 });
});

it("a status without memory, as a zombie's is => an error that names the field", () => {
  expect(() => parseStatus("Name:\tnode\nState:\tZ (zombie)\n")).toThrow("no VmRSS");
});
