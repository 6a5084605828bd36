import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { status } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import { spawnTracked } from "../controlplane/reaper.ts";
import { eventually } from "../controlplane/wait.ts";
import { CLAVIGER, Installation, masterKey } from "./installation.ts";
import { encryptSeed, expectOpens, expectRefused } from "./kms.ts";

/**
 * Starts a command whose output goes into two pipes, as under `claviger serve | logger`. Ends with `await
 * using`.
 */
function piped(installation: Installation, command: string) {
  const child: ChildProcess = spawnTracked(
    process.execPath,
    [CLAVIGER, command, "--config", installation.configPath],
    { stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env.PATH, HOME: installation.dir } },
  );
  const ended = once(child, "exit");
  return {
    child,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

it.each(["serve", "plugin"])(
  "%s goes on when whoever reads its log and its output has ended",
  async (command) => {
    await using installation = await Installation.create();
    if (command === "plugin") await installation.start("operator");
    await using process_ = piped(installation, command);
    const keyId = await installation.serving();
    const client = installation.client();
    const sealed = await encryptSeed(client, Buffer.alloc(32, 1));
    process_.child.stdout?.destroy();
    process_.child.stderr?.destroy();
    // Each refusal is logged, into a pipe that nobody reads.
    const garbage = { ciphertext: Buffer.alloc(200), key_id: keyId };
    for (let call = 0; call < 5; call++)
      await expectRefused(client.decrypt(garbage), status.INVALID_ARGUMENT, /not valid/);
    // An operator under `serve` logs into the same pipe.
    await installation.manifest("later.yaml", masterKey("later"));
    await eventually("the operator made the other key", async () => {
      const { stdout } = await installation.runWithConfig("status", "-o", "json");
      const { keys } = JSON.parse(stdout);
      return keys.some((key: { key: string; kmsKeyId?: string }) => /later$/.test(key.key) && key.kmsKeyId);
    });
    expect((await client.status()).key_id).toBe(keyId);
    await expectOpens(client, sealed);
    expect([process_.child.exitCode, process_.child.signalCode]).toEqual([null, null]);
  },
);
