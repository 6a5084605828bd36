import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { deadline, temporaryFolder } from "../keyring/testing.ts";
import { runPlugin } from "./plugin.ts";

it("the configuration is edited while the plugin starts => it is taken up, and a SIGHUP is heard already", async () => {
  using folder = temporaryFolder();
  const umask = process.umask();
  const configPath = join(folder.path, "claviger.yaml");
  const socket = (name: string) => join(folder.path, "run", `${name}.sock`);
  const configure = (...names: readonly string[]) =>
    writeFileSync(
      configPath,
      JSON.stringify({
        apiVersion: "config.claviger.dev/v1alpha1",
        kind: "NodeConfig",
        stateDir: "./state",
        seal: { file: { path: "./root.key" } },
        providers: names.map((name) => ({ name, socket: socket(name), key: "apps/secrets" })),
        manifests: "./keys",
      }),
    );
  configure("first");
  const stop = new AbortController();
  const listeners = process.listenerCount("SIGHUP");
  let heard = false;
  const ended = runPlugin({
    configPath,
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
