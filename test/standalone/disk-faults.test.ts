import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { canMount, Tmpfs } from "../../src/testing/tmpfs.ts";
import { eventually } from "../controlplane/wait.ts";
import { expectServes, failing, prepare } from "./faults.ts";
import { Installation, masterKey } from "./installation.ts";
import { encryptSeed } from "./kms.ts";

const mountable = canMount();

const onDisk = (disk: Tmpfs) =>
  Installation.create((config) => ({
    ...config,
    stateDir: join(disk.path, "state"),
    seal: { file: { path: join(disk.path, "root.key") } },
  }));

/** Fills the remaining space. Returns a function that frees it. */
async function fill(disk: Tmpfs): Promise<() => Promise<void>> {
  const path = join(disk.path, "filler");
  const file = await open(path, "w");
  try {
    for (const size of [65_536, 4096, 1]) {
      try {
        for (;;) await file.write(Buffer.alloc(size));
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
      }
    }
  } finally {
    await file.close();
  }
  return () => rm(path);
}

describe.skipIf(!mountable)("a disk", () => {
  it("that cannot be written is served from by a plugin that starts on it, and its operator says why it ends", async () => {
    using disk = new Tmpfs("4m");
    await using installation = await onDisk(disk);
    const prepared = await prepare(installation);
    disk.remount("ro");
    await installation.start("plugin");
    expect(await installation.serving()).toBe(prepared.keyId);
    await expectServes(installation, prepared);
    expect(await failing(installation, "operator")).toMatch(
      /(state|operator\.lock|keyring\.db) (cannot be|.*cannot be)/,
    );

    disk.remount("rw");
    await installation.start("operator");
    await installation.manifest("later.yaml", masterKey("later"));
    await installation.runs.at(-1)?.line(/MasterKey claviger-system\/later: version 1 is current/);
    await expectServes(installation, prepared);
  });

  it("that is full is named with its keyring, stops no call, and with room again all that waited is done", async () => {
    using disk = new Tmpfs("32m");
    await using installation = await onDisk(disk);
    const serve = await installation.start("serve");
    const keyId = await installation.serving();
    const prepared = { keyId, sealed: await encryptSeed(installation.client(), randomBytes(32)) };
    const makeRoom = await fill(disk);
    // A transaction that fits into the present log file would succeed, but many do not fit.
    const names = Array.from({ length: 40 }, (_, index) => `later-${index}`);
    await installation.manifest(
      "later.yaml",
      ...names.map((name) => masterKey(name, { description: "x".repeat(8000) })),
    );
    await serve.line(/keyring .*keyring\.db: .*make room on its disk, nothing was changed/);
    await expectServes(installation, prepared);

    await makeRoom();
    for (const name of names)
      await serve.line(new RegExp(`MasterKey claviger-system/${name}: version 1 is current`));
    await expectServes(installation, prepared);
    await serve.process.stop();
    await installation.start("serve");
    expect(await installation.serving()).toBe(keyId);
    await expectServes(installation, prepared);
  });

  it("that is full when everything starts again after a kill serves what it has, and the operator follows when there is room", async () => {
    using disk = new Tmpfs("2m");
    await using installation = await onDisk(disk);
    const serve = await installation.start("serve");
    const keyId = await installation.serving();
    const prepared = { keyId, sealed: await encryptSeed(installation.client(), randomBytes(32)) };
    await serve.process.kill9();
    await eventually("the operator has gone", async () => (await lockIsFree(installation)) === true);
    const makeRoom = await fill(disk);
    const again = await installation.start("serve");
    expect(await installation.serving()).toBe(keyId);
    await expectServes(installation, prepared);
    await makeRoom();
    await installation.manifest("later.yaml", masterKey("later"));
    await again.line(/MasterKey claviger-system\/later: version 1 is current/);
    await expectServes(installation, prepared);
  });

  it("that is full at the very first start leaves no half of a root key or keyring, and with room it begins", async () => {
    using disk = new Tmpfs("1m");
    await using installation = await onDisk(disk);
    await mkdir(join(disk.path, "state"), { mode: 0o700 });
    const makeRoom = await fill(disk);
    expect(await failing(installation, "operator")).toMatch(/root key .*root\.key could not be made: ENOSPC/);
    expect(readdirSync(disk.path).sort()).toEqual(["filler", "state"]);
    const serve = await installation.start("serve");
    await serve.line(/could not be made: ENOSPC/);
    await makeRoom();
    await installation.serving();
    expect((await readFile(join(disk.path, "root.key"))).length).toBe(32);
  });
});

/** Returns true if an operator could start now. */
async function lockIsFree(installation: Installation): Promise<boolean> {
  const { FileLock } = await import("../../src/keyring/file-lock.ts");
  try {
    const { stateDir } = await installation.readConfig();
    FileLock.acquire(join(stateDir, "operator.lock"), "taken").release();
    return true;
  } catch {
    return false;
  }
}
