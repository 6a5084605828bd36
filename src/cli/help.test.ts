import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Command } from "./command.ts";
import { commandHelp } from "./terminal/help.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
interface Entry {
  readonly name: string;
  readonly file: string;
  readonly command: Command;
}

/** The table of commands, with the file of each. */
const entries: readonly Entry[] = await Promise.all(
  [
    ...readFileSync(join(import.meta.dirname, "program.ts"), "utf8").matchAll(
      /^ {2}(\w+): async \(\) => \(await import\("\.\/([\w/-]+\.ts)"\)\)\.(\w+),$/gm,
    ),
  ].map(async ([, name = "", file = "", member = ""]) => {
    const module: Readonly<Record<string, Command>> = await import(join(import.meta.dirname, file));
    const command = module[member];
    if (command === undefined) throw new Error(`${file} has no ${member}`);
    return { name, file, command };
  }),
);

const claviger = (...args: readonly string[]) =>
  spawnSync(process.execPath, [join(ROOT, "bin", "claviger.js"), ...args], {
    encoding: "utf8",
    timeout: 120_000,
  });

test("claviger help status => what the command says of itself with --help", () => {
  const { status, stdout } = claviger("help", "status");
  expect(status).toBe(0);
  expect(claviger("status", "--config", "none", "--help").stdout).toBe(stdout);
  expect(stdout).toMatch(/^claviger status \[--config FILE/);
});

describe.each(entries)("claviger help $name", ({ name, file, command }) => {
  const [usage = "", ...rest] = commandHelp(command).split("\n");

  test("says of every option in the usage what it is for", () => {
    expect(usage).toMatch(new RegExp(`^claviger ${name} `));
    const options = [...usage.matchAll(/--[a-z-]+|-o(?= [a-z|]+)/g)].map(([option]) => option);
    expect(options.length > 0).toBe(usage.includes("["));
    for (const option of new Set(options)) {
      const lines = rest.filter((line) => line.startsWith(`  ${option} `));
      expect(lines, option).toEqual([expect.stringMatching(/^ {2}\S+(?: (?:[A-Z]+|[a-z|]+))? {2,}\S+/)]);
    }
  });

  test("has every option that the command takes", () => {
    const source = readFileSync(join(import.meta.dirname, file), "utf8");
    const taken = [...source.matchAll(/^\s+"?([a-z-]+)"?: \{ type: "(?:string|boolean)" \}/gm)];
    const usages = entries.filter((each) => each.file === file).map((each) => each.command.usage);
    for (const [, option] of taken) expect(usages.join(" ")).toContain(`--${option}`);
  });
});

test("claviger help => every command, and how to see its options", () => {
  const { stdout } = claviger("help");
  for (const { name } of entries) expect(stdout).toMatch(new RegExp(`^ {2}claviger ${name} `, "m"));
  expect(stdout).toContain("claviger help COMMAND");
});

test.each(["--version", "-v", "version"])("claviger %s => the version of the package", (word) => {
  expect(claviger(word)).toMatchObject({ status: 0, stdout: `claviger ${version}\n`, stderr: "" });
});

test.each<[readonly string[], string]>([
  [["statsu"], 'there is no command "statsu" (did you mean status?); see claviger help'],
  [["help", "rotat"], 'there is no command "rotat" (did you mean rotate?); see claviger help'],
  [["frobnicate"], 'there is no command "frobnicate"; see claviger help'],
  [
    ["rotate", "a/b", "--kubconfig", "x"],
    "there is no option --kubconfig (did you mean --kubeconfig?); see claviger help rotate",
  ],
  [["rotate", "a/b", "-x"], "there is no option -x; see claviger help rotate"],
  [["rotate", "a/b", "--kubeconfig"], "--kubeconfig needs a value; see claviger help rotate"],
  [["rotate", "a/b", "--kubeconfig", "--wait"], "--kubeconfig needs a value; see claviger help rotate"],
  [["status", "--config", "x", "-o"], "--output needs a value; see claviger help status"],
  [["rotate", "a/b", "--wait=yes"], "--wait takes no value; see claviger help rotate"],
  [["status", "here"], '"here" is one argument too many; see claviger help status'],
  [["status", "-o", "jsno"], "-o takes json, yaml or wide (did you mean json?); see claviger help status"],
])("claviger %j => one line that says what is wrong and where to look", (args, message) => {
  expect(claviger(...args)).toMatchObject({ status: 2, stdout: "", stderr: `claviger: ${message}\n` });
});
