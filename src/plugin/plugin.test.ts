import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { readWatchedConfig } from "../config/watched-config.ts";
import { Secret } from "../crypto/secret.ts";
import { observationsPath, readObservations } from "../keyring/observations.ts";
import type { ObservationRow } from "../keyring/rows.ts";
import { KEYRING_FILE } from "../keyring/state-folder.ts";
import { KeyringWriter } from "../keyring/writer.ts";
import { fileSeal } from "../seal/file.ts";
import { createRootKey, readRootKey } from "../seal/root-key-file.ts";
import { sealAad } from "../seal/seal.ts";
import { deadline, promoted, temporaryFolder, version } from "../testing/keyring.ts";
import { writePluginConfig } from "../testing/plugin-config.ts";
import { KmsClient } from "./kms-client.ts";
import { runPlugin } from "./plugin.ts";

it("the configuration is edited while the plugin starts => it is taken up, and a SIGHUP is heard already", async () => {
  using folder = temporaryFolder();
  const umask = process.umask();
  const socket = (name: string) => join(folder.path, "run", `${name}.sock`);
  const configure = (...names: readonly string[]) =>
    writePluginConfig(folder.path, Object.fromEntries(names.map((name) => [name, socket(name)])));
  const configPath = configure("first");
  const stop = new AbortController();
  const listeners = process.listenerCount("SIGHUP");
  let heard = false;
  const ended = runPlugin({
    configuration: readWatchedConfig(configPath),
    log: () => undefined,
    signal: stop.signal,
    onListening: () => {
      configure("first", "second");
      heard = process.listenerCount("SIGHUP") > listeners;
    },
  });
  try {
    await vi.waitFor(() => expect(existsSync(socket("second"))).toBe(true), deadline);
    expect(heard).toBe(true);
  } finally {
    stop.abort();
    await ended;
    process.umask(umask);
  }
  expect(process.listenerCount("SIGHUP")).toBe(listeners);
});

it("a plugin in standby takes over while the API server asks => the episode continues, with every call that the former plugin answered", async () => {
  using folder = temporaryFolder();
  const umask = process.umask();
  const socket = join(folder.path, "run", "secrets.sock");
  const keyring = join(folder.path, "state", KEYRING_FILE);
  await makeKeyring(folder.path);
  const configPath = writePluginConfig(folder.path, { secrets: socket });
  const waiting: string[] = [];
  const [first, second] = [new AbortController(), new AbortController()];
  const ended = [
    runPlugin({
      configuration: readWatchedConfig(configPath),
      log: () => undefined,
      signal: first.signal,
      standby: true,
    }),
    vi
      .waitFor(() => expect(existsSync(socket)).toBe(true), deadline)
      .then(() =>
        runPlugin({
          configuration: readWatchedConfig(configPath),
          log: (_, message) => void waiting.push(message),
          signal: second.signal,
          standby: true,
        }),
      ),
  ];
  const ask = async (encrypts: number) => {
    const apiServer = new KmsClient(socket, { passesForApiServer: true });
    await vi.waitFor(() => apiServer.status(), deadline);
    for (let call = 0; call < encrypts; call++)
      await apiServer.encrypt({
        plaintext: Buffer.alloc(32, 1),
        uid: "4f5e0f05-8cd1-4d4e-a2d3-3b0b3a1a6a11",
      });
    apiServer.close();
  };
  try {
    await vi.waitFor(() => expect(waiting).toHaveLength(1), deadline);
    await ask(2);
    first.abort();
    await ended[0];
    const before = readObservations(keyring)[0];
    expect(before).toMatchObject({ encrypts: 2 });
    await ask(3);
    await vi.waitFor(
      () => expect(readObservations(keyring)[0]).toMatchObject({ encrypts: 5, episode: before?.episode }),
      deadline,
    );
  } finally {
    first.abort();
    second.abort();
    await Promise.all(ended);
    process.umask(umask);
  }
});

it("the plugin is restarted while its API server asks => the episode goes on; after a crash, whose file may lack a call, it does not", async () => {
  using folder = temporaryFolder();
  const umask = process.umask();
  const socket = join(folder.path, "run", "secrets.sock");
  const keyring = join(folder.path, "state", KEYRING_FILE);
  await makeKeyring(folder.path);
  const configPath = writePluginConfig(folder.path, { secrets: socket });
  /** Runs the plugin once, with these calls of its API server. Returns the contents of the file. */
  const life = async (encrypts: number): Promise<ObservationRow | undefined> => {
    const stop = new AbortController();
    const ended = runPlugin({
      configuration: readWatchedConfig(configPath),
      log: () => undefined,
      signal: stop.signal,
    });
    const apiServer = new KmsClient(socket, { passesForApiServer: true });
    try {
      await vi.waitFor(() => apiServer.status(), deadline);
      for (let call = 0; call < encrypts; call++)
        await apiServer.encrypt({
          plaintext: Buffer.alloc(32, 1),
          uid: "4f5e0f05-8cd1-4d4e-a2d3-3b0b3a1a6a11",
        });
      await vi.waitFor(() => expect(readObservations(keyring)[0]?.lastStatusAt).toBeDefined(), deadline);
      copyFileSync(observationsPath(keyring), join(folder.path, "of-a-crash"));
    } finally {
      apiServer.close();
      stop.abort();
      await ended;
      process.umask(umask);
    }
    return readObservations(keyring)[0];
  };
  const first = await life(2);
  expect(first).toMatchObject({ encrypts: 2, mark: { whole: true } });
  const second = await life(1);
  expect(second).toMatchObject({ encrypts: 3, episode: first?.episode });
  copyFileSync(join(folder.path, "of-a-crash"), observationsPath(keyring));
  const third = await life(0);
  expect(third).toMatchObject({ encrypts: 0 });
  expect(third?.episode).not.toBe(first?.episode);
});

/** Creates a state folder with version 1 of the key apps/secrets, and a root key next to it. */
async function makeKeyring(folder: string): Promise<void> {
  const rootKey = join(folder, "root.key");
  createRootKey(rootKey);
  const writer = KeyringWriter.open(join(folder, "state"));
  const row = version(1);
  using material = Secret.random(32);
  const sealed = await fileSeal(readRootKey(rootKey)).wrap(material, sealAad(row));
  writer.apply(promoted({ ...row, sealed }));
  writer.close();
}
