import {
  chownSync,
  linkSync,
  lstatSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { FileLock } from "../../keyring/file-lock.ts";
import { FolderLock } from "./folder-lock.ts";

function stateFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "claviger-lock-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const rights = () => [process.geteuid?.(), process.getegid?.(), process.getgroups?.()];

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
    const root = rights();
    await new FolderLock(folder).hold(() => undefined);
    expect(statSync(join(folder, "manifests.lock"))).toMatchObject({ uid: 4242, gid: 4343 });
    expect(rights()).toEqual(root);
  },
);

describe.skipIf(process.getuid?.() !== 0)("a lock that the owner of the state folder has made", () => {
  it.each([
    ["a link", symlinkSync],
    ["a hard link", linkSync],
  ])("%s to a file of root => root refuses it, and the file stays root's", async (_, link) => {
    const [folder, home] = [stateFolder(), stateFolder()];
    chownSync(folder, 4242, 4343);
    const file = join(home, "file");
    writeFileSync(file, "", { mode: 0o600 });
    link(file, join(folder, "manifests.lock"));
    const root = rights();
    const held = new FolderLock(folder).hold(() => undefined);
    await expect(held).rejects.toMatchObject({ code: "KeyringUnavailable" });
    expect(lstatSync(file)).toMatchObject({ uid: 0, gid: 0, size: 0 });
    expect(rights()).toEqual(root);
  });
});
