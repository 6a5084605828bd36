import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cp, mkdir, mkdtemp, rm, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readRootKey } from "../../src/seal/root-key-file.ts";
import { keepOnExit, removeOnExit } from "../controlplane/reaper.ts";
import { type CommandResult, run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { ROOT, recordedBlock, testedBlock } from "./markdown.ts";

let checkout: string;
/** Vitest sets variables that a stranger's shell does not have; npm comes from its own PATH. */
const environment = { PATH: process.env.PATH, HOME: process.env.HOME };

const shell = (text: string, deadline = 120_000): Promise<CommandResult> =>
  run("bash", ["-euo", "pipefail", "-c", text], { cwd: checkout, env: environment, deadline });

/** Copies the files that a stranger has after a clone and `npm ci`. */
async function copyCheckout(): Promise<void> {
  // Short, because a socket's path has at most 107 bytes.
  checkout = await mkdtemp(join(tmpdir(), "clvd-"));
  removeOnExit(checkout);
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  for (const file of listed.split("\0").filter((name) => /^(bin|src|examples|crds|package)/.test(name))) {
    await mkdir(join(checkout, dirname(file)), { recursive: true });
    await cp(join(ROOT, file), join(checkout, file)).catch((error: NodeJS.ErrnoException) => {
      // The file was listed, and deleted since.
      if (error.code !== "ENOENT") throw error;
    });
  }
  await symlink(join(ROOT, "node_modules"), join(checkout, "node_modules"));
}

/** Returns an output without its ids, times, the place of the checkout, and the widths of its columns. */
const unnamed = (text: string): string =>
  text
    .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{32}\b/g, "ID")
    .replaceAll(/[\d.]+ ms/g, "TIME")
    .replaceAll(/\S+(?=\/examples\/standalone)/g, "")
    .replaceAll(/ +/g, " ")
    .replaceAll(/ +$/gm, "")
    .trim();

describe("the standalone path of README.md, in a copy of the checkout", () => {
  let ended: Promise<CommandResult>;

  beforeAll(async () => {
    await copyCheckout();
    const start = testedBlock("README.md", "start").trim();
    // Signals the process group, as a terminal's Ctrl-C does: npm, its shell, claviger and its operator.
    const pidFile = join(checkout, "pid");
    ended = shell(`setsid ${start} & echo $! > ${pidFile}; wait $! || true`, 1_200_000);
    await eventually("the first status is well", async () => {
      const { code } = await shell(
        "npm run -s claviger -- status --config examples/standalone/claviger.yaml",
      );
      return code === 0;
    });
  });
  afterAll(async () => {
    await rm(checkout, { recursive: true, force: true });
    keepOnExit(checkout);
  });

  it("encrypts a first value through the socket, and decrypts it", async () => {
    const { code, stdout, stderr } = await shell(testedBlock("README.md", "first value"));
    expect(code, stderr).toBe(0);
    const withoutCiphertext = (text: string) => unnamed(text).replace(/(?<="ciphertext":")[^"]+/, "");
    expect(withoutCiphertext(stdout)).toBe(withoutCiphertext(recordedBlock("README.md", "first value")));
  });

  it("shows the served key, then the added one beside it", async () => {
    const { code, stdout, stderr } = await shell(testedBlock("README.md", "standalone"));
    expect(code, stderr).toBe(0);
    const [before, after] = stdout.split(/(?=^PROVIDER)/m);
    expect(before).toMatch(/^secrets +- +claviger-system\/secrets v1 +ok$/m);
    expect(before).not.toContain("shop/payments");
    expect(after).toMatch(/^shop\/payments +Enabled +1 +- +on request$/m);
    expect(unnamed(after ?? "")).toBe(unnamed(recordedBlock("README.md", "standalone")));
  });

  it("ends at Ctrl-C, after it printed what the page shows", async () => {
    await shell("kill -INT -- -$(cat pid)");
    const { stdout } = await ended;
    expect(unnamed(stdout)).toContain(unnamed(recordedBlock("README.md", "start")));
    await expect(stat(join(checkout, "examples/standalone/run/secrets.sock"))).rejects.toThrow("ENOENT");
  });
});

describe("the root key of the installation by hand", () => {
  it("is one that claviger accepts, and a second run does not write over it", async () => {
    const folder = await mkdtemp(join(tmpdir(), "clvd-"));
    removeOnExit(folder);
    const text = testedBlock("docs/install/by-hand.md", "root key").replaceAll(
      /\/(etc|var\/lib)\/claviger/g,
      `${folder}/$1`,
    );
    const options = { cwd: folder, env: environment };
    expect((await run("bash", ["-ec", text], options)).code).toBe(0);
    using key = readRootKey(join(folder, "etc", "root.key"));
    const before = Buffer.from(key.exposeSecretBytes());
    expect(before).not.toEqual(randomBytes(32));
    expect((await run("bash", ["-ec", text], options)).code).not.toBe(0);
    using again = readRootKey(join(folder, "etc", "root.key"));
    expect(Buffer.from(again.exposeSecretBytes())).toEqual(before);
    await rm(folder, { recursive: true });
  });
});
