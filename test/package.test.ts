import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "./controlplane/run.ts";

const ROOT = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "clv-"));
const installed = join(folder, "node_modules", "claviger");

/** npm itself is a script: under the Node of the package's own scripts it runs wherever they do. */
async function succeed(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, { cwd, env: process.env, deadline: 900_000 });
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}${stdout}`);
  return stdout;
}

beforeAll(async () => {
  await succeed("npm", ["run", "build"], ROOT);
  const [packed] = JSON.parse(await succeed("npm", ["pack", "--json", "--pack-destination", folder], ROOT));
  mkdirSync(installed, { recursive: true });
  await succeed(
    "tar",
    ["-xzf", join(folder, packed.filename), "--strip-components=1", "-C", installed],
    folder,
  );
  for (const name of readdirSync(join(ROOT, "node_modules"))) {
    if (!name.startsWith("."))
      symlinkSync(join(ROOT, "node_modules", name), join(folder, "node_modules", name));
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("the package holds the built program, the protocol and the CRDs, and neither sources nor tests", () => {
  expect(readdirSync(installed).sort()).toEqual(
    ["LICENSE", "README.md", "bin", "crds", "dist", "package.json", "proto"].sort(),
  );
  const files = readdirSync(join(installed, "dist"), { recursive: true, encoding: "utf8" });
  expect(files.filter((name) => /\.test\.|testing|fake|model|tmpfs/.test(name))).toEqual([]);
});

it("an installed claviger runs without its sources, under both of its names", async () => {
  for (const name of ["claviger", "kubectl-claviger"]) {
    const link = join(folder, name);
    symlinkSync(join(installed, "bin", "claviger.js"), link);
    expect(await succeed(process.execPath, [link, "help"], folder)).toMatch(/claviger serve --config FILE/);
    expect(await succeed(process.execPath, [link, "--version"], folder)).toMatch(
      /^claviger \d+\.\d+\.\d+\n$/,
    );
  }
  const { code, stderr } = await run(
    process.execPath,
    [join(folder, "claviger"), "plugin", "--config", "none"],
    {
      cwd: folder,
    },
  );
  expect(code).toBe(1);
  expect(stderr).toMatch(/^claviger: configuration .*none cannot be read: .*\n$/);
});
