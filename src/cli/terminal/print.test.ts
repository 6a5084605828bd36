import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { printableLines } from "../../printable.ts";
import { asTable, forPrograms } from "../doctor/report.ts";
import { render } from "./output.ts";
import { renderStyles } from "./style.ts";
import { table } from "./table.ts";

const CLI = join(import.meta.dirname, "..");

const UNSAFE = /(?!\n)\p{C}|\p{Zl}|\p{Zp}/u;
const hostile = fc.string({ unit: "binary", maxLength: 40 }).map((text) => `\x1b[2J\u202e\x9b\n${text}`);

test("a table of any texts has a line for each row, and nothing in it steers the terminal", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(hostile, hostile), { maxLength: 4 }), (rows) => {
      const text = table(["A", "B"], rows);
      expect(text).not.toMatch(UNSAFE);
      expect(text.split("\n")).toHaveLength(rows.length + 2);
    }),
  );
});

test("a diagnosis of any texts steers no terminal; its JSON and YAML have them as they were", () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const finding = {
        check: "RootKeyUnsafe",
        severity: "error",
        object: text,
        message: text,
        remedy: text,
      } as const;
      const diagnosis = { findings: [finding], unchecked: [], made: [] };
      expect(renderStyles(asTable(diagnosis), false, printableLines)).not.toMatch(UNSAFE);
      const json = render(forPrograms(diagnosis), "json");
      expect(json).not.toMatch(UNSAFE);
      expect(JSON.parse(json).findings).toEqual([finding]);
      const yaml = printableLines(render(forPrograms(diagnosis), "yaml"));
      expect(yaml).not.toMatch(UNSAFE);
      expect(parse(yaml).findings).toEqual([finding]);
    }),
  );
});

test("an error of the command line that quotes what it was given does not steer the terminal", () => {
  const main = join(CLI, "main.ts");
  for (const args of [
    ["\x1b[2J\u202e"],
    ["status", "--\x1b[2J"],
    ["status", "--config", "/nowhere/\x1b[2J\x9b\u202e"],
  ]) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: "utf8" });
    expect([1, 2]).toContain(status);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^claviger: .*\\u001b\[2J.*\n$/);
    expect(stderr).not.toMatch(UNSAFE);
  }
});

test("every command prints through print.ts, which makes texts safe", () => {
  const direct = readdirSync(CLI, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts") && name !== "terminal/print.ts")
    .filter((name) =>
      /process\.std(out|err)\.write|\bconsole\.(log|info|warn|error|debug|table|dir)\(/.test(
        readFileSync(join(CLI, name), "utf8"),
      ),
    );
  expect(direct).toEqual([]);
});
