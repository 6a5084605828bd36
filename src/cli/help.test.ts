import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..", "..");
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
/** The file of each command. */
const FILES = new Map(
  [
    ...readFileSync(join(import.meta.dirname, "program.ts"), "utf8").matchAll(
      /^ {2}(\w+): async \(\) => \(await import\("\.\/([\w-]+\.ts)"\)\)/gm,
    ),
  ].map(([, name = "", file = ""]) => [name, file] as const),
);
const NAMES = [...FILES.keys()];

const claviger = (...args: readonly string[]) =>
  spawnSync(process.execPath, [join(ROOT, "bin", "claviger.js"), ...args], {
    encoding: "utf8",
    timeout: 120_000,
  });

describe.each(NAMES)("claviger help %s", (name) => {
  const { status, stdout } = claviger("help", name);

  test("is what the command says of itself with --help", () => {
    expect(status).toBe(0);
    expect(claviger(name, "--config", "none", "--help").stdout).toBe(stdout);
  });

  test("says of every option in the usage what it is for", () => {
    const [usage = "", ...rest] = stdout.split("\n");
    const options = [...usage.matchAll(/--[a-z-]+|-o(?= [a-z|]+)/g)].map(([option]) => option);
    expect(options.length > 0).toBe(usage.includes("["));
    for (const option of new Set(options)) {
      const lines = rest.filter((line) => line.startsWith(`  ${option}`));
      expect(lines, option).toEqual([expect.stringMatching(/^ {2}\S+(?: (?:[A-Z]+|[a-z|]+))? {2,}\S+/)]);
    }
  });

  test("has every option that the command takes", () => {
    const source = readFileSync(join(import.meta.dirname, FILES.get(name) ?? ""), "utf8");
    const taken = [...source.matchAll(/^\s+"?([a-z-]+)"?: \{ type: "(?:string|boolean)" \}/gm)];
    const shared = [...FILES].filter(([, file]) => file === FILES.get(name)).map(([other]) => other);
    const usages = shared
      .map((other) => (other === name ? stdout : claviger("help", other).stdout).split("\n")[0])
      .join(" ");
    for (const [, option] of taken) expect(usages).toContain(`--${option}`);
  });
});

test("claviger help => every command, and how to see its options", () => {
  const { stdout } = claviger("help");
  for (const name of NAMES) expect(stdout).toMatch(new RegExp(`^ {2}claviger ${name} `, "m"));
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
