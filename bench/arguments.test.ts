import { expect, it } from "vitest";
import { PARTS, parseArguments } from "./arguments.ts";

it("nothing given => all parts in full, and nothing is written", () => {
  expect(parseArguments([])).toEqual({ parts: PARTS, quick: false, write: false });
});

it("--only chooses parts, which run in their usual order", () => {
  expect(parseArguments(["--only", "memory", "--only=kms"]).parts).toEqual(["kms", "memory"]);
});

it("--quick and --write are taken", () => {
  expect(parseArguments(["--quick"]).quick).toBe(true);
  expect(parseArguments(["--write"]).write).toBe(true);
});

it.each([
  [["--only", "cpu"], "--only cpu: want kms, flood, start, secrets, reencrypt, memory"],
  [["--only"], "argument missing"],
  [["--fast"], "Unknown option '--fast'"],
  [["kms"], "Unexpected argument 'kms'"],
  [["--write", "--quick"], "--write needs a whole run"],
  [["--write", "--only", "kms"], "--write needs a whole run"],
])("%j is refused", (args, message) => {
  expect(() => parseArguments(args)).toThrow(message);
});
