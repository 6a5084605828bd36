import { mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { appearanceOf } from "./file-appearance.ts";

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-appearance-"));
  path = join(folder, "claviger.yaml");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("a file that is there => a text that stays while nobody touches it", () => {
  writeFileSync(path, "a");
  expect(appearanceOf(path)).toBe(appearanceOf(path));
});

it("no file => none", () => {
  expect(appearanceOf(path)).toBe("none");
});

it("a file that the system does not let us look at => unreadable and why, and no exception", () => {
  symlinkSync("claviger.yaml", path);
  expect(appearanceOf(path)).toBe("unreadable ELOOP");
});

it("an edit of the same size that kept its time of modification, as cp -p and mv do => another text", async () => {
  const longAgo = new Date("2026-01-02T03:04:05Z");
  writeFileSync(path, "a");
  utimesSync(path, longAgo, longAgo);
  const before = appearanceOf(path);
  // On older kernels the clock of file systems only advances every few milliseconds.
  await vi.waitFor(
    () => {
      writeFileSync(path, "b");
      utimesSync(path, longAgo, longAgo);
      expect(appearanceOf(path)).not.toBe(before);
    },
    { timeout: 60_000, interval: 5 },
  );
});
