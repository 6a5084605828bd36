import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { stringify } from "yaml";
import { deadline, temporaryFolder } from "../keyring/testing.ts";
import { runPlugin } from "./plugin.ts";

it("takes up a configuration that was edited while the plugin started", async () => {
  const folder = temporaryFolder();
  const configPath = join(folder.path, "claviger.yaml");
  configure(configPath, "first");
  const stop = new AbortController();
  const umask = process.umask();
  const ended = runPlugin({
    configPath,
    log: () => undefined,
    signal: stop.signal,
    onListening: () => configure(configPath, "first", "second"),
  });
  onTestFinished(async () => {
    stop.abort();
    await ended;
    process.umask(umask);
    folder.remove();
  });
  await vi.waitFor(() => expect(existsSync(join(folder.path, "run", "second.sock"))).toBe(true), deadline);
});

function configure(path: string, ...providers: readonly string[]): void {
  const text = stringify({
    apiVersion: "config.claviger.dev/v1alpha1",
    kind: "NodeConfig",
    nodeName: "node-1",
    stateDir: "./state",
    seal: { file: { path: "./root.key" } },
    providers: providers.map((name) => ({ name, socket: `./run/${name}.sock`, key: `apps/${name}` })),
    manifests: "./keys",
  });
  writeFileSync(path, text);
}
