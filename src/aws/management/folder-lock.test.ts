import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { FileLock } from "../../keyring/file-lock.ts";
import { FolderLock } from "./folder-lock.ts";

function lockPath(): string {
  const folder = mkdtempSync(join(tmpdir(), "claviger-lock-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, "manifests.lock");
}

it("while another process edits => waits for its end, and then works", async () => {
  const path = lockPath();
  const other = FileLock.acquire(path, "");
  const done: string[] = [];
  const waiting = new FolderLock(path).hold(() => done.push("work"));
  await new Promise(setImmediate);
  expect(done).toEqual([]);
  done.push("released");
  other.release();
  await waiting;
  expect(done).toEqual(["released", "work"]);
});

it("work that fails => its error, and the lock is free again", async () => {
  const lock = new FolderLock(lockPath());
  const failing = () => {
    throw new Error("no");
  };
  await expect(lock.hold(failing)).rejects.toThrow("no");
  const done: string[] = [];
  await lock.hold(() => done.push("work"));
  expect(done).toEqual(["work"]);
});
