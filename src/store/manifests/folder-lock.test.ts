import { chownSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { FileLock } from "../../keyring/file-lock.ts";
import { FolderLock } from "./folder-lock.ts";

function stateFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "claviger-lock-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

it("while another process edits => waits for its end, and then works", async () => {
  const folder = stateFolder();
  const other = FileLock.acquire(join(folder, "manifests.lock"), "");
  const done: string[] = [];
  const waiting = new FolderLock(folder).hold(() => done.push("work"));
  await new Promise(setImmediate);
  expect(done).toEqual([]);
  done.push("released");
  other.release();
  await waiting;
  expect(done).toEqual(["released", "work"]);
});

it("work that fails => its error, and the lock is free again", async () => {
  const lock = new FolderLock(stateFolder());
  const failing = () => {
    throw new Error("no");
  };
  await expect(lock.hold(failing)).rejects.toThrow("no");
  const done: string[] = [];
  await lock.hold(() => done.push("work"));
  expect(done).toEqual(["work"]);
});

it.skipIf(process.getuid?.() !== 0)(
  "root takes it first => the owner of the state folder can take it later",
  async () => {
    const folder = stateFolder();
    chownSync(folder, 4242, 4343);
    await new FolderLock(folder).hold(() => undefined);
    expect(statSync(join(folder, "manifests.lock"))).toMatchObject({ uid: 4242, gid: 4343 });
  },
);
