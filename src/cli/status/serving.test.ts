import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { readWatchedConfig } from "../../config/watched-config.ts";
import { Secret } from "../../crypto/secret.ts";
import { KeyringWriter } from "../../keyring/writer.ts";
import { runPlugin } from "../../plugin/plugin.ts";
import { fileSeal } from "../../seal/file.ts";
import { createRootKey, readRootKey } from "../../seal/root-key-file.ts";
import { sealAad } from "../../seal/seal.ts";
import { deadline, promoted, temporaryFolder, version } from "../../testing/keyring.ts";
import { status } from "../status.ts";

/** Writes a node's configuration whose kubeconfig and EncryptionConfiguration are missing. Returns its path. */
function configure(folder: string): string {
  const path = join(folder, "claviger.yaml");
  writeFileSync(
    path,
    JSON.stringify({
      apiVersion: "config.claviger.dev/v1alpha1",
      kind: "NodeConfig",
      stateDir: "./state",
      seal: { file: { path: "./root.key" } },
      providers: [{ name: "secrets", socket: join(folder, "run", "secrets.sock"), key: "apps/secrets" }],
      kubeconfig: "./kubeconfig",
      encryptionConfig: "./enc.yaml",
    }),
  );
  return path;
}

async function makeVersion(folder: string): Promise<void> {
  createRootKey(join(folder, "root.key"));
  const writer = KeyringWriter.open(join(folder, "state"));
  const row = version(1);
  using material = Secret.random(32);
  writer.apply(
    promoted({
      ...row,
      sealed: await fileSeal(readRootKey(join(folder, "root.key"))).wrap(material, sealAad(row)),
    }),
  );
  writer.close();
}

it("status --serving => fails without a plugin, and is content with one that serves, whatever the cluster lacks", async () => {
  using folder = temporaryFolder();
  const umask = process.umask();
  const path = configure(folder.path);
  await makeVersion(folder.path);
  const probe = () => status.run(["--serving", "--config", path]);
  await expect(probe()).rejects.toMatchObject({ code: "NotReady", message: "not serving: secrets" });
  const stop = new AbortController();
  const ended = runPlugin({
    configuration: readWatchedConfig(path),
    log: () => undefined,
    signal: stop.signal,
  });
  try {
    await vi.waitFor(() => expect(existsSync(join(folder.path, "run", "secrets.sock"))).toBe(true), deadline);
    await vi.waitFor(probe, deadline);
  } finally {
    stop.abort();
    await ended;
    process.umask(umask);
  }
  await expect(probe()).rejects.toMatchObject({ code: "NotReady" });
});
