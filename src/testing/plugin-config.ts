import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes a configuration whose providers serve `apps/secrets`, each by its name. Returns its path. */
export function writePluginConfig(folder: string, sockets: Readonly<Record<string, string>>): string {
  const path = join(folder, "claviger.yaml");
  const config = {
    apiVersion: "config.claviger.dev/v1alpha1",
    kind: "NodeConfig",
    stateDir: "./state",
    seal: { file: { path: "./root.key" } },
    providers: Object.entries(sockets).map(([name, socket]) => ({ name, socket, key: "apps/secrets" })),
    manifests: "./keys",
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}
