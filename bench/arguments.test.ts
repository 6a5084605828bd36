import { expect, it } from "vitest";
import { PARTS, parseArguments } from "./arguments.ts";

it("nothing given => all parts in full, and nothing is written", () => {
  expect(parseArguments([])).toEqual({ parts: PARTS, quick: false, write: false });
});

it("--only chooses parts, which run in their usual order", () => {
  expect(parseArguments(["--only", "kms", "--only=memory"]).parts).toEqual(["memory", "kms"]);
});

it("--beside names another build, which is measured too", () => {
  expect(parseArguments(["--beside", "/tmp/before"]).beside).toBe("/tmp/before");
});

it("--quick and --write are taken", () => {
  expect(parseArguments(["--quick"]).quick).toBe(true);
  expect(parseArguments(["--write"]).write).toBe(true);
});

it.each([
  [["--only", "cpu"], "--only cpu: want secrets, start, seeds, memory, flood, reencrypt, kms, grants, aws"],
  [["--only"], "argument missing"],
  [["--fast"], "Unknown option '--fast'"],
  [["kms"], "Unexpected argument 'kms'"],
  [["--write", "--quick"], "--write needs a whole run"],
  [["--write", "--only", "kms"], "--write needs a whole run"],
  [["--write", "--beside", "before"], "--write needs a whole run"],
])("%j is refused", (args, message) => {
  expect(() => parseArguments(args)).toThrow(message);
});
