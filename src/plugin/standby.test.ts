import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { readWatchedConfig } from "../config/watched-config.ts";
import { deadline, temporaryFolder } from "../testing/keyring.ts";
import { writePluginConfig } from "../testing/plugin-config.ts";
import { KmsClient } from "./kms-client.ts";
import { runPlugin } from "./plugin.ts";

/** A folder with a configuration of two sockets, and a way to run plugins on it. */
function site(folder: string) {
  const sockets = ["one", "two"].map((name) => join(folder, "run", `${name}.sock`));
  const configPath = writePluginConfig(
    folder,
    Object.fromEntries(sockets.map((socket, index) => [`p${index}`, socket])),
  );
  const start = (standby: boolean) => {
    const stop = new AbortController();
    const lines: string[] = [];
    const log = (_: string, message: string) => void lines.push(message);
    let listening = false;
    const onListening = () => {
      listening = true;
    };
    const ended = runPlugin({
      configuration: readWatchedConfig(configPath),
      log,
      signal: stop.signal,
      standby,
      onListening,
    });
    return { lines, ended, stop: () => stop.abort(), isListening: () => listening };
  };
  return { sockets, start };
}

async function answers(socket: string): Promise<boolean> {
  const client = new KmsClient(socket);
  // There is no key here: any answer of the plugin counts, as long as somebody listens.
  const error = await client.status().then(
    () => undefined,
    (reason: unknown) => String(reason),
  );
  client.close();
  return !/ECONNREFUSED|ENOENT|connection/i.test(error ?? "");
}

it("another plugin serves the sockets => a plugin in standby says so once, and serves all of them when that one stops", async () => {
  using folder = temporaryFolder();
  const umask = process.umask();
  const { sockets, start } = site(folder.path);
  const before = start(false);
  try {
    await vi.waitFor(() => expect(before.isListening()).toBe(true), deadline);
    const after = start(true);
    await vi.waitFor(() => expect(after.lines).toHaveLength(1), deadline);
    expect(after.lines[0]).toBe(
      `standby: another claviger plugin serves ${sockets[0]}; this plugin serves it as soon as that one stops`,
    );
    expect(after.isListening()).toBe(false);
    before.stop();
    await before.ended;
    await vi.waitFor(() => expect(after.isListening()).toBe(true), deadline);
    for (const socket of sockets) expect(await answers(socket)).toBe(true);
    expect(after.lines.filter((line) => line.startsWith("standby"))).toHaveLength(1);
    after.stop();
    await after.ended;
  } finally {
    before.stop();
    await before.ended;
    process.umask(umask);
  }
});

it("without standby a second plugin ends with InUse, and in standby it ends when it is told to", async () => {
  using folder = temporaryFolder();
  const umask = process.umask();
  const { start } = site(folder.path);
  const before = start(false);
  try {
    await vi.waitFor(() => expect(before.isListening()).toBe(true), deadline);
    await expect(start(false).ended).rejects.toMatchObject({ code: "InUse" });
    const waiting = start(true);
    await vi.waitFor(() => expect(waiting.lines).toHaveLength(1), deadline);
    waiting.stop();
    await waiting.ended;
    expect(waiting.isListening()).toBe(false);
  } finally {
    before.stop();
    await before.ended;
    process.umask(umask);
  }
});

it("nobody serves the sockets => a plugin in standby serves at once, without a word about it", async () => {
  using folder = temporaryFolder();
  const umask = process.umask();
  const plugin = site(folder.path).start(true);
  try {
    await vi.waitFor(() => expect(plugin.isListening()).toBe(true), deadline);
    expect(plugin.lines.filter((line) => line.startsWith("standby"))).toEqual([]);
  } finally {
    plugin.stop();
    await plugin.ended;
    process.umask(umask);
  }
});
