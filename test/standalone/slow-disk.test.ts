import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { Installation } from "./installation.ts";
import { encryptSeed, expectOpens } from "./kms.ts";

/**
 * A disk that stalls while the file STALL exists: whoever syncs or renames something waits, and creates the
 * file STALLED to show it.
 */
const SOURCE = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static void stall(void) {
  while (access(getenv("STALL"), F_OK) == 0) {
    close(open(getenv("STALLED"), O_CREAT | O_WRONLY, 0600));
    usleep(10000);
  }
}
int fsync(int fd) { stall(); return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd); }
int fdatasync(int fd) { stall(); return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd); }
int rename(const char *from, const char *to) {
  stall();
  return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename"))(from, to);
}
`;

const compiler =
  process.platform === "linux" && (await run("cc", ["--version"]).catch(() => ({ code: 1 }))).code === 0;

describe.skipIf(!compiler)("a disk that stands still", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "claviger-slow-"));
    await writeFile(join(folder, "slow.c"), SOURCE);
    const { code, stderr } = await run("cc", ["-shared", "-fPIC", "-o", "slow.so", "slow.c", "-ldl"], {
      cwd: folder,
    });
    expect(code, stderr).toBe(0);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Starts operator and plugin, and waits until the plugin waits for its disk. Removing `stall` ends that. */
  async function stalledPlugin(installation: Installation) {
    const [stall, stalled] = [join(installation.dir, "stall"), join(installation.dir, "stalled")];
    await installation.start("operator");
    const plugin = await installation.start("plugin", {
      LD_PRELOAD: join(folder, "slow.so"),
      STALL: stall,
      STALLED: stalled,
    });
    const keyId = await installation.serving();
    const client = installation.client();
    await writeFile(stall, "");
    const sealed = await encryptSeed(client, randomBytes(32));
    await eventually("the plugin waits for its disk", async () => existsSync(stalled));
    return { plugin, stall, keyId, client, sealed };
  }

  it("stops no call of a plugin that records what it saw; what it saw is reported when the disk moves again", async () => {
    await using installation = await Installation.create();
    const { stall, keyId, client, sealed } = await stalledPlugin(installation);
    for (let call = 0; call < 20; call++) {
      expect((await client.status()).key_id).toBe(keyId);
      await expectOpens(client, sealed);
      await encryptSeed(client, randomBytes(32));
    }
    expect(existsSync(stall)).toBe(true);
    expect(await encryptsReported(installation)).toBeLessThan(21);
    await rm(stall);
    await eventually("all Encrypts are reported", async () => (await encryptsReported(installation)) === 21);
  });

  it("stops no call of a plugin that records its calls; the records are in the audit log when the disk moves again", async () => {
    await using installation = await Installation.create((config) => ({
      ...config,
      audit: { path: "./audit.jsonl" },
    }));
    const { plugin, stall, keyId, client, sealed } = await stalledPlugin(installation);
    // As the disk never answers before `stall` is removed, a call that waited for its record would end the test.
    for (let call = 0; call < 20; call++) {
      expect((await client.status()).key_id).toBe(keyId);
      await expectOpens(client, sealed);
    }
    expect(existsSync(stall)).toBe(true);
    await rm(stall);
    const recorded = () =>
      readFileSync(join(installation.dir, "audit.jsonl"), "utf8").match(/"eventName":"Decrypt"/g)?.length;
    await eventually("all calls are recorded", async () => recorded() === 20, { deadline: 60_000 });
    expect(await plugin.process.stop()).toEqual({ code: 0, signal: null });
  });
});

/** Returns the Encrypts in the node's KeyServer of its only provider; 0 before there is a report. */
async function encryptsReported(installation: Installation): Promise<number> {
  const { DatabaseSync } = await import("node:sqlite");
  using db = new DatabaseSync(installation.keyringPath, { readOnly: true });
  const row = db.prepare("SELECT json FROM objects WHERE kind = 'KeyServer'").get();
  return JSON.parse(String(row?.json ?? "{}")).status?.providers?.[0]?.encrypts ?? 0;
}
