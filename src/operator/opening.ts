import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import type { NodeConfig } from "../config/config.ts";
import { kmsKeyId } from "../crypto/ids.ts";
import { KEYRING_FILE } from "../keyring/state-folder.ts";
import type { KeyringWriter } from "../keyring/writer.ts";
import type { Log } from "../log.ts";
import { createRootKey } from "../seal/root-key-file.ts";
import { censusOfNode, countsOfOwnEtcd } from "../storage/census/node-census.ts";
import { ManifestStore } from "../store/manifests/manifest-store.ts";
import type { ResourceStore } from "../store/resource-store.ts";

/**
 * Standalone, the very first start creates the root key. It never does so next to an existing keyring, whose
 * versions a new root key could not open.
 */
export function makeFirstRootKey({ resources, seal, stateDir }: NodeConfig, log: Log): void {
  if (resources.kind !== "manifests" || existsSync(seal.path)) return;
  if (existsSync(join(stateDir, KEYRING_FILE))) return;
  createRootKey(seal.path);
  log("info", `a new root key was made in ${seal.path}: back it up, everything is sealed under it`);
}

/**
 * Opens the store of custom resources. The Kubernetes client takes a second to load, and standalone mode does
 * not need it.
 */
export async function openStore(
  config: NodeConfig,
  keyring: KeyringWriter,
  clock: Clock,
  log: Log,
): Promise<ResourceStore> {
  const { resources, nodeName } = config;
  if (resources.kind === "manifests") {
    const own = () => keyring.versions().map(({ keyId, versionId }) => kmsKeyId(keyId, versionId));
    const countAll = async (signal: AbortSignal) =>
      config.etcd && countsOfOwnEtcd(await censusOfNode(config, { signal, all: true, examples: 0 }), own());
    return new ManifestStore({ folder: resources.folder, nodeName, objects: keyring.objects, log, countAll });
  }
  const { KubeStore } = await import("../store/kube/kube-store.ts");
  return new KubeStore(config, resources.path, log, { wall: () => clock.wall() });
}
