import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const CLAVIGER = join(import.meta.dirname, "..", "..", "bin", "claviger.js");

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "clv-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const claviger = (...args: readonly string[]) =>
  spawnSync(process.execPath, [CLAVIGER, ...args, "--root", root], { encoding: "utf8", timeout: 120_000 });

test("claviger join --request => a file to carry and a code to read; the private key stays on the node", () => {
  const file = join(root, "request.txt");
  const { status, stdout, stderr } = claviger("join", "--request", file);
  expect([status, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/its code: ([a-z2-9]{4}-){4}[a-z2-9]{4}\n/);
  expect(readFileSync(file, "utf8")).toMatch(/^claviger-join-request-v1 \S+\n$/);
  const key = join(root, "etc/claviger/join.key");
  expect(statSync(key).mode & 0o777).toBe(0o600);
  const { privateKey } = JSON.parse(readFileSync(key, "utf8"));
  const secret = privateKey.split("\n")[1];
  expect(`${stdout}${readFileSync(file, "utf8")}`).not.toContain(secret);
});

test("claviger join --open with a wrong code => nothing is written", () => {
  const file = join(root, "answer.txt");
  writeFileSync(file, "claviger-join-answer-v1 AAAA\n");
  const { status, stderr } = claviger("join", "--open", file, "--code", "aaaa");
  expect(status).toBe(1);
  expect(stderr).toMatch(/^claviger: the code does not belong to this answer: .+\n$/);
  expect(existsSync(join(root, "etc"))).toBe(false);
});

test("claviger init without an administrator's kubeconfig => one line that names it, and nothing is written", () => {
  const { status, stderr } = claviger("init");
  expect(status).toBe(1);
  expect(stderr).toMatch(/^claviger: .*etc\/kubernetes\/admin\.conf.+\n$/);
  expect(existsSync(join(root, "etc/claviger/root.key"))).toBe(false);
});

test.each([
  [["join"], "one of --request, --answer and --open is needed"],
  [["join", "--request", "a", "--open", "b"], "one of --request, --answer and --open is needed"],
  [["join", "--open", "missing.txt", "--code", "a"], "missing.txt cannot be read: ENOENT"],
  [["join", "--answer", "a"], "--out FILE is needed"],
  [["init", "--forget"], "--forget goes with --undo"],
  [["init", "--systemd", "--image", "i"], "--systemd and --image exclude one another"],
])("claviger %j => wrong usage", (args, message) => {
  const { status, stderr } = claviger(...args);
  expect([status, stderr]).toEqual([2, expect.stringContaining(message)]);
});
