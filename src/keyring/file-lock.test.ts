import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { deadline, OtherProcess, temporaryFolder } from "../testing/keyring.ts";
import { canMount, Tmpfs } from "../testing/tmpfs.ts";
import { FileLock } from "./file-lock.ts";

const TAKEN = "another one has it: stop it";
const inUse = expect.objectContaining({ code: "InUse", message: TAKEN });
const holder = (path: string) =>
  new OtherProcess(`
    const { FileLock } = await import_("file-lock.ts");
    globalThis.lock = FileLock.acquire(${JSON.stringify(path)}, "");
    say("taken");
    hang();`);

test("held => InUse with the message that was given; released => free", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "lock");
  const lock = FileLock.acquire(path, TAKEN);
  expect(() => FileLock.acquire(path, TAKEN)).toThrow(inUse);
  lock.release();
  FileLock.acquire(path, TAKEN).release();
});

test("the file stays behind, empty", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "lock");
  FileLock.acquire(path, TAKEN).release();
  expect(statSync(path).size).toBe(0);
});

test("the file is closed to others whatever the umask: who may read it can hold up its next owner", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "lock");
  const umask = process.umask(0o007);
  onTestFinished(() => void process.umask(umask));
  FileLock.acquire(path, TAKEN).release();
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("two paths => two locks", () => {
  using folder = temporaryFolder();
  const locks = ["a", "b"].map((name) => FileLock.acquire(join(folder.path, name), TAKEN));
  for (const lock of locks) lock.release();
});

test("another process holds it => InUse, until kill -9", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "lock");
  await using other = holder(path);
  await vi.waitFor(() => expect(other.heard("taken")).toBe(true), deadline);
  expect(() => FileLock.acquire(path, TAKEN)).toThrow(inUse);
  await other.kill();
  FileLock.acquire(path, TAKEN).release();
  expect(existsSync(`${path}-journal`)).toBe(false);
});

const notInUse = expect.objectContaining({ code: "KeyringUnavailable" });

test("its folder does not exist => says so, and not that somebody has it", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "missing", "lock");
  expect(() => FileLock.acquire(path, TAKEN)).toThrow(notInUse);
  expect(() => FileLock.acquire(path, TAKEN)).toThrow(path);
});

test("something else lies there => says so, and not that somebody has it", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "lock");
  writeFileSync(path, "this is no lock of ours, and quite long enough to be looked at".repeat(20));
  expect(() => FileLock.acquire(path, TAKEN)).toThrow(notInUse);
});

test.skipIf(!canMount())("the disk cannot be written => says so, and not that somebody has it", () => {
  using disk = new Tmpfs("1m");
  const path = join(disk.path, "lock");
  FileLock.acquire(path, TAKEN).release();
  disk.remount("ro");
  expect(() => FileLock.acquire(path, TAKEN)).toThrow(notInUse);
});
