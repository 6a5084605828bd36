import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFile, replaceFile } from "./whole-file.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-whole-"));
  path = join(folder, "a.yaml");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a file that is replaced", () => {
  it("keeps its mode, and nothing else is left in the folder", () => {
    writeFileSync(path, "old");
    chmodSync(path, 0o640);
    replaceFile(path, "new");
    expect(readFileSync(path, "utf8")).toBe("new");
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(readdirSync(folder)).toEqual(["a.yaml"]);
  });
  it("through a link => the link stays", () => {
    writeFileSync(join(folder, "target.yaml"), "old");
    symlinkSync("target.yaml", path);
    replaceFile(path, "new");
    expect(readFileSync(join(folder, "target.yaml"), "utf8")).toBe("new");
    expect(readdirSync(folder).sort()).toEqual(["a.yaml", "target.yaml"]);
  });
});

describe("a file that is created", () => {
  it("has the text and the mode", () => {
    createFile(path, "text", 0o644);
    expect(readFileSync(path, "utf8")).toBe("text");
    expect(statSync(path).mode & 0o777).toBe(0o644);
    expect(readdirSync(folder)).toEqual(["a.yaml"]);
  });
  it("under a name that is taken => InUse, and the other file stays", () => {
    writeFileSync(path, "other");
    expect(() => createFile(path, "text", 0o644)).toThrow(expect.objectContaining({ code: "InUse" }));
    expect(readFileSync(path, "utf8")).toBe("other");
    expect(readdirSync(folder)).toEqual(["a.yaml"]);
  });
  it("in a folder that is none => ConfigInvalid, which names the file", () => {
    mkdirSync(join(folder, "x"));
    expect(() => createFile(join(folder, "y", "a.yaml"), "text", 0o644)).toThrow(
      expect.objectContaining({
        code: "ConfigInvalid",
        message: expect.stringContaining("a.yaml cannot be"),
      }),
    );
  });
});
