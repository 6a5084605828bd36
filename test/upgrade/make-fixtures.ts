/**
 * Writes fixtures/VERSION: files and ciphertexts of a release, made by its own programs without a cluster.
 * `node test/upgrade/make-fixtures.ts VERSION`
 */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { KmsClient } from "../../src/plugin/kms-client.ts";
import { startProcess } from "../controlplane/processes.ts";
import { eventually } from "../controlplane/wait.ts";
import { claviger, fixturesOf, type KeptCiphertext, PROVIDERS, Release } from "./release.ts";

const API_VERSION = "kms.claviger.dev/v1alpha1";
const NAMESPACE = "claviger-system";

const [version = ""] = process.argv.slice(2);
const out = fixturesOf(version);
await using release = await Release.unpack(version);
const dir = await mkdtemp(join(tmpdir(), "clv-"));
const config = join(dir, "claviger.yaml");
const socketOf = (provider: string) => join(dir, "run", `${provider}.sock`);
try {
  await mkdir(join(dir, "keys"));
  await writeFile(config, nodeConfig());
  await writeKey("first");
  const kept = await serveAndEncrypt();
  const backup = ["backup", "--config", config, "--out", join(dir, "backup.jsonl")];
  const { code, stderr } = await claviger(release.folder, ...backup);
  if (code !== 0) throw new Error(stderr);
  await mkdir(out, { recursive: true });
  await writeFile(join(out, "ciphertexts.json"), `${JSON.stringify(kept, undefined, 2)}\n`);
  await copyFile(join(dir, "backup.jsonl"), join(out, "backup.jsonl"));
  // The last process that closed the keyring has written everything into the one file.
  await copyFile(join(dir, "state", "keyring.db"), join(out, "keyring.db"));
  await copyFile(join(dir, "root.key"), join(out, "root.key"));
} finally {
  await rm(dir, { recursive: true, force: true });
}

function nodeConfig(): string {
  return stringify({
    apiVersion: "config.claviger.dev/v1alpha1",
    kind: "NodeConfig",
    nodeName: "node-1",
    stateDir: "./state",
    seal: { file: { path: "./root.key" } },
    providers: Object.entries(PROVIDERS).map(([name, serves]) => ({
      name,
      socket: socketOf(name),
      ...serves,
    })),
    manifests: "./keys",
  });
}

/** A changed token makes the next version. */
async function writeKey(requestToken: string): Promise<void> {
  const rotation = { enabled: true, periodInDays: 90, requestToken };
  const objects = [
    {
      apiVersion: API_VERSION,
      kind: "MasterKey",
      metadata: { namespace: NAMESPACE, name: "secrets" },
      spec: { description: "Secrets of this cluster", rotation },
    },
    {
      apiVersion: API_VERSION,
      kind: "KeyAlias",
      metadata: { namespace: NAMESPACE, name: "main" },
      spec: { masterKey: "secrets" },
    },
  ];
  await writeFile(join(dir, "keys", "keys.yaml"), objects.map((object) => stringify(object)).join("---\n"));
}

/** Runs the release until its providers have encrypted under two versions. */
async function serveAndEncrypt(): Promise<KeptCiphertext[]> {
  const args = [join(release.folder, "bin", "claviger.js"), "serve", "--config", config];
  const log = join(dir, "serve.log");
  const serve = await startProcess({ name: "serve", binary: process.execPath, args, log, home: dir });
  try {
    const first = await encryptAll(1, []);
    await writeKey("second");
    return [...first, ...(await encryptAll(2, first))];
  } finally {
    await serve.stop();
  }
}

/** Encrypts through every provider, as soon as it does so under another key_id than before. */
async function encryptAll(number: number, before: readonly KeptCiphertext[]): Promise<KeptCiphertext[]> {
  const former = new Set(before.map(({ keyId }) => keyId));
  const all: KeptCiphertext[] = [];
  for (const provider of Object.keys(PROVIDERS)) {
    const next = await eventually(`${provider} encrypts under version ${number}`, async () => {
      const kept = await encrypt(provider, number);
      return former.has(kept.keyId) ? undefined : kept;
    });
    all.push(next);
  }
  return all;
}

async function encrypt(provider: string, number: number): Promise<KeptCiphertext> {
  const plaintext = Buffer.from(`a seed of ${provider} under version ${number}`);
  const client = new KmsClient(socketOf(provider));
  try {
    const { ciphertext, keyId } = await client.encrypt({ plaintext, uid: "fixture" });
    return {
      ...{ provider, version: number, keyId },
      ciphertext: Buffer.from(ciphertext).toString("base64"),
      plaintext: plaintext.toString("base64"),
    };
  } finally {
    client.close();
  }
}
