import { createHash, randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { chmod, chown, copyFile, readFile, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { eventually } from "../controlplane/wait.ts";
import { expectServes, failing, prepare } from "./faults.ts";
import { Installation, masterKey } from "./installation.ts";
import { eventuallyRefused } from "./kms.ts";

const isRoot = process.getuid?.() === 0;
/** The user nobody, by the number that it has nearly everywhere. */
const NOBODY = 65_534;

/** Moves everything from the log into the file itself, so that damage to the file has an effect. */
function consolidate(path: string): void {
  using db = new DatabaseSync(path);
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
}

/** Ways to damage a file. */
const damages = [
  { what: "garbage", damage: (path: string) => writeFile(path, randomBytes(20_000)) },
  { what: "empty", damage: (path: string) => truncate(path, 0) },
  { what: "cut off", damage: async (path: string) => truncate(path, (await stat(path)).size - 5000) },
  {
    what: "overwritten in its middle",
    damage: async (path: string) => {
      const bytes = await readFile(path);
      // The first page has the schema, and the tables follow.
      createHash("shake256", { outputLength: bytes.length - 4096 })
        .digest()
        .copy(bytes, 4096);
      await writeFile(path, bytes);
    },
  },
];

describe("a keyring", () => {
  it("that is not there yet makes Status UNAVAILABLE and says to start the operator, whose start heals it", async () => {
    await using installation = await Installation.create();
    await installation.start("plugin");
    await eventuallyRefused(
      () => installation.client().status(),
      status.UNAVAILABLE,
      /there is no keyring .*keyring\.db yet: start the operator of this node/,
    );
    await installation.start("operator");
    await installation.serving();
  });

  it.each(damages)(
    "that is $what when the plugin starts makes Status DATA_LOSS with file and remedy, and a backup put in its place heals it",
    async ({ damage }) => {
      await using installation = await Installation.create();
      const prepared = await prepare(installation);
      const backup = join(installation.dir, "backup.db");
      consolidate(installation.keyringPath);
      await copyFile(installation.keyringPath, backup);
      await damage(installation.keyringPath);
      await installation.start("plugin");
      const says =
        /keyring .*keyring\.db.*(is damaged|malformed|not a database).*move it away.*put a backup in its place/;
      await eventuallyRefused(() => installation.client().status(), status.DATA_LOSS, says);
      expect(await failing(installation, "operator")).toMatch(says);

      await rename(installation.keyringPath, join(installation.dir, "damaged.db"));
      await copyFile(backup, join(installation.stateDir, "draft"));
      await rename(join(installation.stateDir, "draft"), installation.keyringPath);
      expect(await installation.serving()).toBe(prepared.keyId);
      await expectServes(installation, prepared);
      await installation.start("operator");
      await installation.manifest("later.yaml", masterKey("later"));
      await installation.runs.at(-1)?.line(/MasterKey claviger-system\/later: version 1 is current/);
      await expectServes(installation, prepared);
    },
  );

  it.each([...damages, { what: "deleted", damage: (path: string) => rm(path) }])(
    "that is $what while the plugin runs is named in its log, and everything goes on from memory until a backup is put back",
    async ({ damage }) => {
      await using installation = await Installation.create();
      const prepared = await prepare(installation);
      const plugin = await installation.start("plugin");
      await installation.serving();
      await expectServes(installation, prepared);
      const backup = join(installation.dir, "backup.db");
      consolidate(installation.keyringPath);
      await copyFile(installation.keyringPath, backup);
      const damaged = join(installation.stateDir, "damaged");
      await copyFile(installation.keyringPath, damaged);
      await damage(damaged);
      for (const suffix of ["-wal", "-shm"])
        await rm(`${installation.keyringPath}${suffix}`, { force: true });
      if (existsSync(damaged)) await rename(damaged, installation.keyringPath);
      else await rm(installation.keyringPath);

      await plugin.line(/WARN +plugin: .*keyring\.db.*(start the operator of this node|damaged)/);
      await expectServes(installation, prepared);
      expect(await installation.client().health("")).toBe("SERVING");

      for (const suffix of ["-wal", "-shm"])
        await rm(`${installation.keyringPath}${suffix}`, { force: true });
      await copyFile(backup, join(installation.stateDir, "draft"));
      await rename(join(installation.stateDir, "draft"), installation.keyringPath);
      const operator = await installation.start("operator");
      await installation.manifest("secrets.yaml", masterKey("secrets", { enabled: false }));
      await eventuallyRefused(
        () => installation.client().status(),
        status.FAILED_PRECONDITION,
        /is disabled/,
      );
      expect(operator.process.alive).toBe(true);
    },
  );

  it.skipIf(!isRoot)(
    "that the plugin's user may not read is named with a remedy, and heals when it may",
    async () => {
      await using installation = await Installation.create();
      const prepared = await prepare(installation);
      await chmod(installation.dir, 0o755);
      await chown(installation.runDir, NOBODY, NOBODY);
      await rm(`${installation.socket()}.lock`);
      const setpriv = [
        "setpriv",
        `--reuid=${NOBODY}`,
        `--regid=${NOBODY}`,
        "--clear-groups",
        process.execPath,
      ];
      await installation.startAs(setpriv, "plugin");
      await eventuallyRefused(
        () => installation.client().status(),
        status.UNAVAILABLE,
        /keyring .*keyring\.db.*(owner|permission denied)/,
      );
      for (const name of readdirSync(installation.stateDir)) {
        await chown(join(installation.stateDir, name), NOBODY, NOBODY);
      }
      await chown(installation.stateDir, NOBODY, NOBODY);
      expect(await installation.serving()).toBe(prepared.keyId);
      await expectServes(installation, prepared);
    },
  );

  it("that is moved away under a running operator is asked for, nothing is made in its place, and when it is back all goes on", async () => {
    await using installation = await Installation.create();
    const serve = await installation.start("serve");
    const keyId = await installation.serving();
    const { keyringPath } = installation;
    for (const end of ["-wal", "-shm", ""]) await rename(`${keyringPath}${end}`, `${keyringPath}.away${end}`);
    await installation.manifest("later.yaml", masterKey("later"));
    await serve.line(/keyring .* was moved away while its operator runs: put it back/);
    expect((await installation.client().status()).key_id).toBe(keyId);
    const told = await installation.runWithConfig("status", "-o", "wide");
    expect(told).toMatchObject({ code: 1, stderr: expect.stringContaining(keyringPath) });
    expect(told.stdout).toMatch(new RegExp(`^secrets .*${keyId}.* ok$`, "m"));
    expect(existsSync(keyringPath)).toBe(false);
    for (const end of ["-wal", "-shm", ""]) await rename(`${keyringPath}.away${end}`, `${keyringPath}${end}`);
    await serve.line(/MasterKey claviger-system\/later: version 1 is current/);
    await holds(installation, "later");
    expect(await serve.text()).not.toMatch(/the operator ended/);
  });

  it("that is replaced by a copy under a running operator is opened anew by the operator's next start", async () => {
    await using installation = await Installation.create();
    const serve = await installation.start("serve");
    const keyId = await installation.serving();
    const { keyringPath } = installation;
    const copy = join(installation.dir, "copy.db");
    {
      using db = new DatabaseSync(keyringPath);
      db.prepare("VACUUM INTO ?").run(copy);
    }
    for (const end of ["-wal", "-shm", ""]) await rename(`${keyringPath}${end}`, `${keyringPath}.away${end}`);
    await chmod(copy, 0o600);
    await rename(copy, keyringPath);
    await serve.line(/keyring .* is another file than the one that its operator opened/);
    await serve.line(/the operator ended \(exit code 1\)/);
    await installation.manifest("later.yaml", masterKey("later"));
    await holds(installation, "later");
    expect(await installation.serving()).toBe(keyId);
  });
});

/** Waits until the keyring that is at its path has a current version of that key. */
const holds = (installation: Installation, name: string): Promise<true> =>
  eventually(`the keyring has ${name}`, async () => {
    const { stdout } = await installation.runWithConfig("status", "-o", "json");
    const { keys }: { keys: { key: string; kmsKeyId?: string }[] } = JSON.parse(stdout);
    return keys.some(({ key, kmsKeyId }) => key === `claviger-system/${name}` && kmsKeyId !== undefined);
  });
