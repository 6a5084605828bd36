import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { eventually } from "../controlplane/wait.ts";
import { expectServes } from "./faults.ts";
import { type Command, childrenOf, Installation, masterKey } from "./installation.ts";
import { encryptSeed } from "./kms.ts";

const HANG_UP = {
  plugin: /INFO {2}plugin: received SIGHUP: reloading the configuration/,
  serve: /INFO {2}plugin: received SIGHUP: reloading the configuration/,
  operator:
    /INFO {2}operator: received SIGHUP and ignored it: the operator reads its configuration only when it starts/,
} as const;

it("a terminal that closes (SIGHUP) ends no process, each says so, and SIGTERM ends it in good order", async () => {
  await using installation = await Installation.create();
  for (const commands of [
    ["operator", "plugin"],
    ["serve"],
  ] as const satisfies readonly (readonly Command[])[]) {
    const runs = [];
    for (const command of commands) runs.push({ command, run: await installation.start(command) });
    const keyId = await installation.serving();
    // The operator has started: before that, Node itself would end at the signal.
    await installation.manifest(`${commands[0]}-1.yaml`, masterKey(`${commands[0]}-1`));
    await runs[0]?.run.line(new RegExp(`/${commands[0]}-1: version 1 is current`));
    const sealed = await encryptSeed(installation.client(), randomBytes(32));
    for (const { command, run } of runs) {
      process.kill(run.process.pid, "SIGHUP");
      // A terminal signals all processes of its group.
      if (command === "serve")
        for (const child of await childrenOf(run.process.pid)) process.kill(child, "SIGHUP");
      await run.line(HANG_UP[command]);
      if (command === "serve") await run.line(HANG_UP.operator);
    }
    await expectServes(installation, { keyId, sealed });
    await installation.manifest(`${commands[0]}-2.yaml`, masterKey(`${commands[0]}-2`));
    await runs[0]?.run.line(new RegExp(`/${commands[0]}-2: version 1 is current`));
    for (const { run } of runs.reverse()) {
      expect(await run.process.stop()).toEqual({ code: 0, signal: null });
      expect(await run.text()).not.toContain("the operator ended");
    }
  }
});

it("a pipe in the manifests folder holds up nothing, at the start or later, and is named", async () => {
  await using installation = await Installation.create();
  execFileSync("mkfifo", [join(installation.keysDir, "first.yaml")]);
  const serve = await installation.start("serve");
  await installation.serving();
  await serve.line(/ERROR operator: .*first\.yaml: it is a pipe and not a regular file/);
  execFileSync("mkfifo", [join(installation.keysDir, "second.yaml")]);
  await serve.line(/ERROR operator: .*second\.yaml: it is a pipe and not a regular file/);
  await installation.manifest("later.yaml", masterKey("later"));
  await serve.line(/MasterKey claviger-system\/later: version 1 is current/);
});

it("twenty thousand keys in a manifest hold up the operator for moments", { timeout: 120_000 }, async () => {
  await using installation = await Installation.create();
  const serve = await installation.start("serve");
  await installation.serving();
  const keys = Array.from({ length: 20_000 }, (_, n) => `k${n}: 1\n`).join("");
  await writeFile(join(installation.keysDir, "many.yaml"), keys);
  await serve.line(/many\.yaml: a document lacks apiVersion or kind/);
  await installation.manifest("later.yaml", masterKey("later"));
  await serve.line(/MasterKey claviger-system\/later: version 1 is current/);
});

it("what a manifest or a call is named cannot forge a line of the log, nor steer a terminal", async () => {
  await using installation = await Installation.create();
  const serve = await installation.start("serve");
  await installation.serving();
  const forged = "\x1b[2J\u202e\x9b31m\n2026-01-01T00:00:00.000Z INFO  operator: all is well";
  // YAML refuses a control character that is not escaped.
  const escaped = JSON.stringify({ apiVersion: "kms.claviger.dev/v1alpha1", kind: forged }).replaceAll(
    /[\x7f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  await installation.replace(join(installation.keysDir, "hostile.json"), escaped);
  await serve.line(
    /hostile\.json: \\u001b\[2J\\u202e\\u009b31m 2026.* is not a kind that a manifest may hold/,
  );
  const client = installation.client();
  const { key_id } = await client.status();
  await client.decrypt({ ciphertext: Buffer.alloc(200), key_id, uid: forged }).catch(() => undefined);
  const line = await serve.line(/Decrypt failed/);
  const [, uid = ""] = / uid=("(?:[^"\\]|\\.)*")/.exec(line) ?? [];
  expect(JSON.parse(uid)).toBe(forged.slice(0, 64));
  await eventually("all is in the log", async () => (await serve.text()).includes("Decrypt failed"));
  expect((await serve.text()).replaceAll("\n", "")).not.toMatch(/\p{C}/u);
  expect(await serve.text()).not.toMatch(/^2026-01-01/m);
});
