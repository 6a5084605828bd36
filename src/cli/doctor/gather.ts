import { existsSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { NodeConfig, ProviderConfig } from "../../config/config.ts";
import { messageOf } from "../../errors.ts";
import { flawOfFolder } from "../../files/private-path.ts";
import { KEYRING_FILE } from "../../keyring/state-folder.ts";
import { certificateExpiry, expiryIn } from "../../kube/certificate-expiry.ts";
import { clientCertificates } from "../../operator/client-certificates.ts";
import { callFault, KmsClient } from "../../plugin/kms-client.ts";
import { openSeals } from "../../seal/open-seals.ts";
import { censusOfNode } from "../../storage/census/node-census.ts";
import { readEncryptionConfig } from "../../storage/encryption-config/encryption-config.ts";
import { apiFault } from "../site/api-readiness.ts";
import { type KeyringFacts, readKeyringFacts } from "../site/keyring-facts.ts";
import { mustBeOwnEtcd } from "../site/own-etcd.ts";
import { gatherCluster } from "./gather-cluster.ts";
import { absent, type Look, look } from "./look.ts";
import type { Observed, RootKeyFile, SocketAnswer, UnsafeFolder } from "./observed.ts";

/**
 * Gathers everything that `claviger doctor` checks, and changes nothing. Rejects only with the signal's
 * reason.
 */
export async function gather(
  config: NodeConfig,
  signal: AbortSignal,
  onProgress: (objects: number) => void = () => undefined,
): Promise<Observed> {
  const [sockets, api, cluster, etcd] = await Promise.all([
    Promise.all(config.providers.map(askSocket)),
    apiFault(config),
    gatherCluster(config, signal),
    lookAtEtcd(config, signal, onProgress),
  ]);
  signal.throwIfAborted();
  const encryptionConfig = await lookAtEncryptionConfig(config);
  const keyring = await look(() => readKeyringFacts(config));
  return {
    config,
    rootKey: lookAtRootKey(config, keyring),
    unsafeFolders: unsafeFolders(config),
    certificates: clientCertificates(config),
    apiCertificate: expiryIn(config.api?.tls?.cert, certificateExpiry),
    sockets,
    ...(config.api !== undefined &&
      api !== undefined && { apiFault: { listen: config.api.listen, fault: api } }),
    looks: { encryptionConfig, keyring, etcd, ...cluster },
  };
}

async function lookAtEncryptionConfig({ path, encryptionConfig }: NodeConfig) {
  if (encryptionConfig === undefined) return absent(`configuration ${path} has no encryptionConfig`);
  return look(() => readEncryptionConfig(encryptionConfig));
}

async function lookAtEtcd(config: NodeConfig, signal: AbortSignal, onProgress: (objects: number) => void) {
  if (config.etcd === undefined) return absent(`configuration ${config.path} has no etcd`);
  // Counts all of etcd: objects stored by an older EncryptionConfiguration are the ones that nobody looks
  // for.
  return look(async () => {
    await mustBeOwnEtcd(config, signal);
    return await censusOfNode(config, { all: true, signal, onProgress });
  });
}

async function askSocket({ name, socket }: ProviderConfig): Promise<SocketAnswer> {
  const client = new KmsClient(socket);
  try {
    const { healthz } = await client.status();
    return { name, socket, ...(healthz !== "ok" && { fault: healthz }) };
  } catch (error) {
    return { name, socket, fault: callFault(error) };
  } finally {
    client.close();
  }
}

/** A running process has its folders already, but its next start would be refused. */
function unsafeFolders({ stateDir, providers }: NodeConfig): UnsafeFolder[] {
  const folders = new Map([[stateDir, `state folder ${stateDir}`]]);
  for (const { socket } of providers) folders.set(dirname(socket), `socket folder ${dirname(socket)}`);
  return [...folders].flatMap(([folder, what]) => {
    try {
      const flaw = flawOfFolder(folder);
      return flaw === undefined ? [] : [{ what, flaw }];
    } catch (error) {
      return [{ what, flaw: messageOf(error) }];
    }
  });
}

function lookAtRootKey({ seal, stateDir }: NodeConfig, keyring: Look<KeyringFacts>): RootKeyFile {
  const { path } = seal;
  const modes = modesOf(path);
  const anySealed = () =>
    keyring.kind === "seen"
      ? keyring.value.versionNames.size + keyring.value.unreadable.length > 0
      : existsSync(join(stateDir, KEYRING_FILE));
  try {
    return { path, ...modes, rootKeyId: openSeals({ seal }, anySealed).get().rootKeyId };
  } catch (error) {
    return { path, ...modes, fault: messageOf(error) };
  }
}

function modesOf(path: string): Pick<RootKeyFile, "mode" | "folderMode"> {
  try {
    // Checks the folder of the file itself, because a link may lie anywhere.
    const folder = dirname(realpathSync(path));
    return { mode: statSync(path).mode & 0o777, folderMode: statSync(folder).mode & 0o777 };
  } catch {
    // Reading the file fails too, and that error says why.
    return {};
  }
}
