import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const ROOT = join(import.meta.dirname, "..", "..");
const CLAVIGER = join(ROOT, "bin", "claviger.js");
const engines: string = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).engines.node;
const needed = Number(/^>=(\d+)$/.exec(engines)?.[1]);

/** Makes a newer Node.js claim to be an older version. */
const pretend = (version: string) =>
  `data:text/javascript,Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${version}" } })`;
const claviger = (node: string, ...args: readonly string[]) =>
  spawnSync(node, [...args], { encoding: "utf8", timeout: 60_000 });

test("a Node.js that is older than package.json's engines => one sentence, with what to do", () => {
  const older = `${needed - 1}.9.0`;
  const { status, stdout, stderr } = claviger(process.execPath, "--import", pretend(older), CLAVIGER, "help");
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toBe(
    `claviger needs Node.js ${needed} or newer, and ${process.execPath} is ${older}: in this checkout, npm ci installs one for it, which npm start and npm run claviger -- COMMAND use; else put a newer node first in PATH\n`,
  );
});

test("the oldest that engines allows => runs", () => {
  const oldest = pretend(`${needed}.0.0`);
  expect(claviger(process.execPath, "--import", oldest, CLAVIGER, "help")).toMatchObject({ status: 0 });
});

test("a script of npm in a checkout without packages => one line that says npm ci", () => {
  const folder = mkdtempSync(join(tmpdir(), "clv-checkout-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "bin"));
  copyFileSync(join(ROOT, "bin", "with-node.sh"), join(folder, "bin", "with-node.sh"));
  const { status, stdout, stderr } = claviger("sh", join(folder, "bin", "with-node.sh"), "node", "--version");
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toBe("claviger: nothing is installed in this checkout yet: run npm ci\n");
  // No package for this platform, and a Node.js in PATH that is too old.
  mkdirSync(join(folder, "node_modules"));
  writeFileSync(join(folder, "node"), '#!/bin/sh\n[ "$1" = -p ] && echo 20 || echo v20.1.0\n', {
    mode: 0o755,
  });
  const older = spawnSync("sh", [join(folder, "bin", "with-node.sh"), "node", "--version"], {
    encoding: "utf8",
    env: { PATH: `${folder}:/usr/bin:/bin` },
  });
  expect({ status: older.status, stdout: older.stdout }).toEqual({ status: 1, stdout: "" });
  expect(older.stderr).toMatch(
    /^claviger: npm has no Node\.js for \S+ \S+ here, and the PATH has v20\.1\.0: put Node\.js 24 or newer first in PATH\n$/,
  );
});

/** Makes a package: a program without sources, which prints its compile cache. Returns its folder. */
function packaged(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "clv-package-")));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "bin"));
  mkdirSync(join(folder, "dist", "cli"), { recursive: true });
  copyFileSync(CLAVIGER, join(folder, "bin", "claviger.js"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  const main = `import { getCompileCacheDir } from "node:module"; console.log(getCompileCacheDir());`;
  writeFileSync(join(folder, "dist", "cli", "main.js"), main);
  return folder;
}

test("a package => the compile cache lies within it, where nobody can write who cannot write the program", () => {
  const folder = packaged();
  const { status, stdout } = claviger(process.execPath, join(folder, "bin", "claviger.js"));
  expect(status).toBe(0);
  expect(dirname(stdout.trim())).toBe(join(folder, "node_modules", ".cache", "claviger"));
});

test("a package in which no compile cache can be made => the program runs without one", () => {
  const folder = packaged();
  writeFileSync(join(folder, "node_modules"), "");
  const { status, stdout } = claviger(process.execPath, join(folder, "bin", "claviger.js"));
  expect({ status, stdout }).toEqual({ status: 0, stdout: "undefined\n" });
});

test("a package that is first run with umask 0 => nobody else may write its compile cache", () => {
  const folder = packaged();
  const run = `umask 0; exec "$0" "$1"`;
  const { status, stdout } = claviger("sh", "-c", run, process.execPath, join(folder, "bin", "claviger.js"));
  expect(status).toBe(0);
  for (const each of [stdout.trim(), dirname(stdout.trim())]) expect(statSync(each).mode & 0o022).toBe(0);
});

test("a compile cache that others may write => it is not used", () => {
  const folder = packaged();
  const cache = join(folder, "node_modules", ".cache", "claviger");
  mkdirSync(cache, { recursive: true });
  chmodSync(cache, 0o777);
  const { status, stdout } = claviger(process.execPath, join(folder, "bin", "claviger.js"));
  expect({ status, stdout }).toEqual({ status: 0, stdout: "undefined\n" });
});

/** The system's own sh, if there is one. */
const system = "/usr/bin/node";
function majorOf(node: string): number {
  try {
    return Number.parseInt(execFileSync(node, ["-p", "process.versions.node"], { encoding: "utf8" }), 10);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

test.skipIf(majorOf(system) >= needed)("a real older Node.js => the same sentence, and no stack", () => {
  const { status, stderr } = claviger(system, CLAVIGER, "help");
  expect(status).toBe(1);
  expect(stderr).toMatch(/^claviger needs Node\.js \d+ or newer, and [^\n]+\n$/);
});
