import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { newKeyId, newVersionId } from "../src/crypto/ids.ts";
import { generateMaterial } from "../src/crypto/key-specs.ts";
import { Secret } from "../src/crypto/secret.ts";
import type { KeyringChange } from "../src/keyring/changes.ts";
import type { VersionRow } from "../src/keyring/rows.ts";
import { KeyringWriter } from "../src/keyring/writer.ts";
import { fileSeal } from "../src/seal/file.ts";
import { type Seal, sealAad } from "../src/seal/seal.ts";

const NAMESPACE = "bench";
const VERSIONS_PER_KEY = 100;

/** A folder from which a plugin can be started. */
export interface NodeFolder {
  readonly dir: string;
  readonly configPath: string;
  readonly socket: string;
}

/**
 * Creates a node's folder with a keyring of `versions` sealed versions, 100 per key. Each provider serves the
 * next key.
 */
export async function makeNode(
  dir: string,
  versions: number,
  providers: readonly string[] = ["bench"],
  metrics?: { readonly listen: string },
): Promise<NodeFolder> {
  await mkdir(dir, { mode: 0o700 });
  const rootKey = randomBytes(32);
  await writeFile(join(dir, "root.key"), rootKey, { mode: 0o600 });
  await writeKeyring(join(dir, "state"), fileSeal(Secret.take(rootKey)), versions);
  const node = { dir, configPath: join(dir, "claviger.yaml"), socket: socketOf(dir, providers[0] ?? "") };
  // JSON is YAML too. The plugin never reads the manifests.
  const config = {
    apiVersion: "config.claviger.dev/v1alpha1",
    kind: "NodeConfig",
    nodeName: "bench",
    stateDir: "./state",
    seal: { file: { path: "./root.key" } },
    providers: providers.map((name, index) => ({
      name,
      socket: socketOf(dir, name),
      key: `${NAMESPACE}/key-${index}`,
    })),
    manifests: "./keys",
    ...(metrics !== undefined && { metrics }),
  };
  await writeFile(node.configPath, JSON.stringify(config));
  return node;
}

/** Returns the path of a provider's socket. */
export const socketOf = (dir: string, provider: string): string => join(dir, "run", `${provider}.sock`);

async function writeKeyring(stateDir: string, seal: Seal, versions: number): Promise<void> {
  const changes: KeyringChange[] = [];
  for (let first = 0; first < versions; first += VERSIONS_PER_KEY) {
    const count = Math.min(VERSIONS_PER_KEY, versions - first);
    changes.push(...(await keyWithVersions(`key-${first / VERSIONS_PER_KEY}`, seal, count)));
  }
  const writer = KeyringWriter.open(stateDir);
  try {
    writer.apply(changes);
  } finally {
    writer.close();
  }
}

async function keyWithVersions(name: string, seal: Seal, count: number): Promise<KeyringChange[]> {
  const key = { namespace: NAMESPACE, name, keyId: newKeyId(), enabled: true };
  const rows: VersionRow[] = [];
  for (let number = 1; number <= count; number += 1) rows.push(await sealedVersion(key, number, seal));
  const last = rows.at(-1);
  return [
    ...rows.map((version): KeyringChange => ({ kind: "putVersion", version })),
    { kind: "putKey", key },
    ...(last === undefined ? [] : [{ kind: "setCurrent", key, version: last } as const]),
  ];
}

async function sealedVersion(
  {
    namespace,
    name,
    keyId,
  }: { readonly namespace: string; readonly name: string } & Pick<VersionRow, "keyId">,
  number: number,
  seal: Seal,
): Promise<VersionRow> {
  const row = {
    versionId: newVersionId(),
    keyId,
    number,
    masterKey: { namespace, name },
    keySpec: "SYMMETRIC_DEFAULT",
    keyUsage: "ENCRYPT_DECRYPT",
    origin: "AWS_KMS",
  } as const;
  using material = await generateMaterial(row.keySpec);
  return { ...row, sealed: await seal.wrap(material, sealAad(row)) };
}
