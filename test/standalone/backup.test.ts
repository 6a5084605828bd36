import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import type { WriteSide } from "../../src/write-points.ts";
import { type CommandResult, run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { Installation, keyAlias, masterKey } from "./installation.ts";
import { encryptSeed, expectOpens } from "./kms.ts";

const CLAVIGER = join(import.meta.dirname, "..", "..", "bin", "claviger.js");
const SIDES: readonly WriteSide[] = ["before", "after"];

/** Creates an installation whose root key is outside its state folder, as on a control-plane node. */
const create = () =>
  Installation.create((config) => ({ ...config, seal: { file: { path: "./etc/root.key" } } }));
const rootKeyOf = ({ dir }: Installation) => join(dir, "etc", "root.key");
const backupOf = ({ dir }: Installation) => join(dir, "backup.jsonl");
const backUp = (installation: Installation, out = backupOf(installation)) =>
  installation.runWithConfig("backup", "--out", out);
const restore = (installation: Installation, ...more: readonly string[]) =>
  installation.runWithConfig("restore", ...more, backupOf(installation));
const succeeds = async (command: Promise<CommandResult>): Promise<string> => {
  const { code, stdout, stderr } = await command;
  expect(code, stderr).toBe(0);
  expect(stderr).toBe("");
  return stdout;
};
const failsWith = async (command: Promise<CommandResult>, message: RegExp): Promise<void> => {
  const { code, stderr } = await command;
  expect(stderr).toMatch(message);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  expect(code).toBe(1);
};
const loseState = ({ stateDir }: Installation) => rm(stateDir, { recursive: true });

/** Waits until the keyring has a key, so that an operator works on it. */
const has = (installation: Installation, key: string): Promise<true> =>
  eventually(
    `the keyring has ${key}`,
    async () => (await installation.runWithConfig("status")).stdout.includes(key) || undefined,
  );

/** Runs a command that dies at a write point. */
async function killedAt(installation: Installation, target: string, ...args: readonly string[]) {
  const [command = "", ...more] = args;
  const env = { PATH: process.env.PATH, HOME: installation.dir, CLAVIGER_KILL_AT: target };
  const line = [CLAVIGER, command, "--config", installation.configPath, ...more];
  const { code, stderr } = await run(process.execPath, line, { env, cwd: installation.dir });
  expect([code, stderr]).toEqual([null, ""]);
}

/** Prepares an installation with a backup, stopped, and a seed that was encrypted before. */
async function backedUp(installation: Installation) {
  const serve = await installation.start("serve");
  const keyId = await installation.serving();
  const sealed = await encryptSeed(installation.client(), randomBytes(32));
  const said = await succeeds(backUp(installation));
  await serve.process.stop();
  return { keyId, sealed, said };
}

describe("claviger backup", () => {
  it("writes a file that others cannot open, says that the root key is not in it, and holds no plaintext", async () => {
    await using installation = await create();
    const { said } = await backedUp(installation);
    expect(said).toMatch(/1 key, 1 version, 0 aliases/);
    expect(said).toMatch(/The root key is NOT in it\. Without the root key nobody can ever open this backup/);
    expect(said).toContain(rootKeyOf(installation));
    expect((await stat(backupOf(installation))).mode & 0o777).toBe(0o600);
    const rootKey = await readFile(rootKeyOf(installation));
    const text = await readFile(backupOf(installation));
    for (const form of [rootKey, rootKey.toString("hex"), rootKey.toString("base64")])
      expect(text.includes(form)).toBe(false);
  });

  it("never writes over a file", async () => {
    await using installation = await create();
    await backedUp(installation);
    const before = await readFile(backupOf(installation));
    await failsWith(
      backUp(installation),
      /backup\.jsonl exists and is not written over: choose another name/,
    );
    expect(await readFile(backupOf(installation))).toEqual(before);
  });

  it("of versions that do not open here is written, and fails saying which", async () => {
    await using installation = await create();
    await backedUp(installation);
    await rename(rootKeyOf(installation), `${rootKeyOf(installation)}.away`);
    await failsWith(
      backUp(installation, join(installation.dir, "without")),
      /backup .*without was written, but 1 of 1 versions in it do not open on this node: root key .* does not exist/,
    );
    await writeFile(rootKeyOf(installation), randomBytes(32), { mode: 0o600 });
    await failsWith(
      backUp(installation, join(installation.dir, "wrong")),
      /backup .*wrong was written, but 1 of 1 .*is sealed under root key file:[0-9a-f]{32} and .* holds [0-9a-f]{32}/,
    );
    const imageOf = async (name: string) =>
      (await readFile(join(installation.dir, name), "utf8")).split("\n")[1];
    expect(await imageOf("without")).toBe(await imageOf("backup.jsonl"));
    expect(await imageOf("wrong")).toBe(await imageOf("backup.jsonl"));
  });

  it("without a keyring, or without knowing where to => says so", async () => {
    await using installation = await create();
    await failsWith(backUp(installation), /there is no keyring .* yet/);
    expect((await installation.runWithConfig("backup")).code).toBe(2);
  });

  it.each(SIDES)(
    "killed %s it names its file => the file is whole or not there, and the next one works",
    async (side) => {
      await using installation = await create();
      await backedUp(installation);
      const out = join(installation.dir, "out");
      await killedAt(installation, `backup.publish:${side}`, "backup", "--out", out);
      expect(existsSync(out)).toBe(side === "after");
      if (side === "after") {
        await rename(out, backupOf(installation));
        await loseState(installation);
        await succeeds(restore(installation));
      }
      await succeeds(backUp(installation, join(installation.dir, "next")));
    },
  );
});

describe("claviger restore", () => {
  it("brings a lost state folder back: the same key_id, and what was encrypted opens", async () => {
    await using installation = await create();
    await installation.manifest("alias.yaml", keyAlias("main", "secrets"));
    const { keyId, sealed } = await backedUp(installation);
    await loseState(installation);
    expect(await succeeds(restore(installation))).toMatch(
      /keyring\.db was made from the backup of .*: 1 key, 1 version, 1 alias/,
    );
    await installation.start("serve");
    expect(await installation.serving()).toBe(keyId);
    await expectOpens(installation.client(), sealed);
  });

  it("while a plugin goes on from memory => it never stops, and follows the new keyring", async () => {
    await using installation = await create();
    await backedUp(installation);
    await installation.start("plugin");
    const keyId = await installation.serving();
    const client = installation.client();
    const sealed = await encryptSeed(client, randomBytes(32));
    await rename(installation.stateDir, `${installation.stateDir}.away`);
    await expectOpens(client, sealed);
    await succeeds(restore(installation));
    await installation.start("operator");
    await installation.manifest("more.yaml", masterKey("more"));
    await has(installation, "claviger-system/more");
    expect((await client.status()).key_id).toBe(keyId);
    await expectOpens(client, sealed);
  });

  it("where a keyring is, or an operator runs => refused, nothing is changed", async () => {
    await using installation = await create();
    await backedUp(installation);
    const before = await readFile(installation.keyringPath);
    await failsWith(restore(installation), /keyring\.db exists and nothing was changed: run with --merge/);
    expect(await readFile(installation.keyringPath)).toEqual(before);
    await installation.manifest("more.yaml", masterKey("more"));
    await installation.start("operator");
    await has(installation, "claviger-system/more");
    await failsWith(restore(installation, "--merge"), /another claviger operator is using .*: stop it first/);
  });

  it("--merge into a keyring that began anew => what the lost one encrypted opens, its own key goes on", async () => {
    await using installation = await create();
    const { keyId, sealed } = await backedUp(installation);
    await loseState(installation);
    const anew = await installation.start("serve");
    const newKeyId = await installation.serving();
    expect(newKeyId).not.toBe(keyId);
    await anew.process.stop();
    const said = await succeeds(restore(installation, "--merge"));
    expect(said).toMatch(/keyring\.db got 1 of 1 versions/);
    expect(said).toMatch(/MasterKey claviger-system\/secrets has keyId .* here and .* in the backup/);
    await installation.start("serve");
    expect(await installation.serving()).toBe(newKeyId);
    await expectOpens(installation.client(), sealed);
  });

  it("under another root key, or with none => refused, and no keyring is made", async () => {
    await using installation = await create();
    await backedUp(installation);
    await loseState(installation);
    const right = await readFile(rootKeyOf(installation));
    await rm(rootKeyOf(installation));
    await failsWith(
      restore(installation),
      /nothing was restored: 1 of 1 versions .*: root key .* does not exist/,
    );
    await writeFile(rootKeyOf(installation), randomBytes(32), { mode: 0o600 });
    await failsWith(restore(installation), /nothing was restored: .* put the right root key there/);
    await failsWith(restore(installation, "--skip-unopened"), /nothing was restored/);
    expect(existsSync(installation.stateDir)).toBe(false);
    await writeFile(rootKeyOf(installation), right);
    await chmod(rootKeyOf(installation), 0o600);
    await succeeds(restore(installation));
  });

  it("of a damaged file => refused, and says what is wrong with it", async () => {
    await using installation = await create();
    await backedUp(installation);
    await loseState(installation);
    const text = await readFile(backupOf(installation), "utf8");
    await writeFile(backupOf(installation), text.slice(0, text.length / 2));
    await failsWith(restore(installation), /backup .* is cut off/);
    await writeFile(backupOf(installation), text.replace("SYMMETRIC_DEFAULT", "SYMMETRIC_DEFAULX"));
    await failsWith(restore(installation), /backup .* was altered/);
    await rm(backupOf(installation));
    await failsWith(restore(installation), /backup .* cannot be read: .*ENOENT/);
    await mkdir(backupOf(installation));
    await failsWith(restore(installation), /backup .* cannot be read: it is a folder and not a regular file/);
    expect(existsSync(installation.stateDir)).toBe(false);
    expect((await installation.runWithConfig("restore")).code).toBe(2);
    expect((await restore(installation, "another")).code).toBe(2);
  });

  it.each(["keyring.apply", "restore.publish"].flatMap((point) => SIDES.map((side) => `${point}:${side}`)))(
    "killed at %s => the keyring is whole or not there, and a second run ends well",
    async (target) => {
      await using installation = await create();
      const { keyId, sealed } = await backedUp(installation);
      await loseState(installation);
      await killedAt(installation, target, "restore", backupOf(installation));
      const whole = target === "restore.publish:after";
      expect(existsSync(installation.keyringPath)).toBe(whole);
      if (!whole) {
        await succeeds(restore(installation));
        expect((await readdir(dirname(installation.keyringPath))).sort()).toEqual([
          "keyring.db",
          "operator.lock",
        ]);
      }
      await installation.start("serve");
      expect(await installation.serving()).toBe(keyId);
      await expectOpens(installation.client(), sealed);
    },
  );

  it.each(SIDES)(
    "--merge killed %s it is applied => all of it or nothing, and a second run ends well",
    async (side) => {
      await using installation = await create();
      const { sealed } = await backedUp(installation);
      await loseState(installation);
      const anew = await installation.start("serve");
      await installation.serving();
      await anew.process.stop();
      await killedAt(installation, `keyring.apply:${side}`, "restore", "--merge", backupOf(installation));
      expect(await succeeds(restore(installation, "--merge"))).toContain(
        side === "after" ? "got 0 of 1" : "got 1 of 1",
      );
      await installation.start("serve");
      await installation.serving();
      await expectOpens(installation.client(), sealed);
    },
  );
});
