import { chmod, copyFile, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { StatusReport } from "../../src/cli/status/report.ts";
import { KmsClient } from "../../src/plugin/kms-client.ts";
import { ClavigerNode } from "../cluster/node.ts";
import { startProcess } from "../controlplane/processes.ts";
import { eventually } from "../controlplane/wait.ts";
import { Installation, masterKey } from "../standalone/installation.ts";
import { encryptSeed, expectOpens } from "../standalone/kms.ts";
import {
  claviger,
  fixturesOf,
  type KeptCiphertext,
  keptCiphertexts,
  PROVIDERS,
  Release,
  releases,
} from "./release.ts";

const ROOT = join(import.meta.dirname, "..", "..");
describe.each(await releases())("the files that %s wrote", (version) => {
  let dir: string;
  let former: Release;
  let kept: readonly KeptCiphertext[];
  const nodes: ClavigerNode[] = [];
  const fixture = (name: string): string => join(fixturesOf(version), name);

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "clv-"));
    former = await Release.unpack(version);
    kept = await keptCiphertexts(version);
  });
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.killAll()));
    await former?.[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  /** A node with the release's root key and no keyring. Its plugin needs neither API server nor operator. */
  const createNode = async (name: string): Promise<ClavigerNode> => {
    const node = await ClavigerNode.create({
      name,
      dir: join(dir, name),
      rootKey: await readFile(fixture("root.key")),
      kubeconfig: "./kubeconfig",
      rewriterKubeconfig: undefined,
      providers: PROVIDERS,
      encryptionConfig: "./encryption.yaml",
      etcd: { endpoints: ["http://127.0.0.1:1"] },
      environment: {},
    });
    nodes.push(node);
    return node;
  };
  const withKeyring = async (name: string): Promise<ClavigerNode> => {
    const node = await createNode(name);
    await mkdir(node.stateDir, { mode: 0o700 });
    await copyFile(fixture("keyring.db"), node.keyringPath);
    await chmod(node.keyringPath, 0o600);
    return node;
  };
  const call = async <T>(node: ClavigerNode, provider: string, use: (client: KmsClient) => Promise<T>) => {
    const client = new KmsClient(node.socket(provider));
    try {
      return await use(client);
    } finally {
      client.close();
    }
  };
  /** Starts the plugin of a release on the node, and waits until it serves. */
  const serve = async (node: ClavigerNode, release: string) => {
    node.release = release;
    const started = await node.start("plugin");
    for (const provider of Object.keys(PROVIDERS)) {
      await eventually(`${provider} serves`, async () => {
        started.mustLive();
        return (await call(node, provider, (client) => client.status())).healthz === "ok";
      });
    }
  };
  const opens = (node: ClavigerNode, { provider, ciphertext, keyId }: KeptCiphertext) =>
    call(node, provider, (client) =>
      client.decrypt({
        ciphertext: Buffer.from(ciphertext, "base64"),
        uid: "upgrade",
        keyId,
        annotations: new Map(),
      }),
    );
  const opensAll = async (node: ClavigerNode, ciphertexts = kept) => {
    const opened = await Promise.all(ciphertexts.map((ciphertext) => opens(node, ciphertext)));
    expect(opened.map((bytes) => bytes.toString("base64"))).toEqual(
      ciphertexts.map(({ plaintext }) => plaintext),
    );
  };
  const encrypts = async (node: ClavigerNode): Promise<KeptCiphertext> => {
    const plaintext = Buffer.from("a seed of this release");
    const { ciphertext, keyId } = await call(node, "secrets", (client) =>
      client.encrypt({ plaintext, uid: "upgrade" }),
    );
    return {
      ...{ provider: "secrets", version: 2, keyId },
      ciphertext: Buffer.from(ciphertext).toString("base64"),
      plaintext: plaintext.toString("base64"),
    };
  };

  it("are ciphertexts of two versions, through a key and through an alias", () => {
    expect(kept.map(({ provider, version: number }) => `${provider} ${number}`)).toEqual([
      ...["secrets 1", "others 1", "secrets 2", "others 2"],
    ]);
    expect(new Set(kept.map(({ keyId }) => keyId)).size).toBe(2);
  });

  it("open in this release: its keyring.db, with every ciphertext and the same key_id", async () => {
    const node = await withKeyring("forward");
    await serve(node, ROOT);
    await opensAll(node);
    expect((await encrypts(node)).keyId).toBe(kept.at(-1)?.keyId);
  });

  it("open in this release: its backup, and the keyring restored from it opens in the former one", async () => {
    const node = await createNode("restored");
    const restored = await claviger(ROOT, "restore", "--config", node.configPath, fixture("backup.jsonl"));
    expect(restored.stderr).toBe("");
    expect(restored.code).toBe(0);
    await serve(node, ROOT);
    await opensAll(node);
    const written = await encrypts(node);
    await node.stop("plugin");

    await serve(node, former.folder);
    await opensAll(node, [...kept, written]);
  });

  it("are read back by the former one with everything that this release added, but not its backup", async () => {
    await using installation = await Installation.create();
    const backup = join(dir, "backup-of-this-release.jsonl");
    const serving = await installation.start("serve");
    await installation.serving();
    const sealed = await encryptSeed(installation.client(), Buffer.from("a seed of this release"));
    // Key specs that the former release does not know.
    await installation.manifest(
      "new-specs.yaml",
      masterKey("signing", { keySpec: "ECC_NIST_P256", keyUsage: "SIGN_VERIFY" }),
      masterKey("exchange", { keySpec: "ML_KEM_768", keyUsage: "ENCAPSULATE_DECAPSULATE" }),
    );
    await eventually("each key has a version", async () => {
      const { stdout } = await installation.runWithConfig("status", "-o", "json");
      const { keys = [] } = JSON.parse(stdout) as Pick<StatusReport, "keys">;
      return keys.filter(({ currentVersion }) => currentVersion === 1).length === 3;
    });
    // Tables and proofs that the former release does not know.
    await eventually("the version has its proof", async () => {
      await rm(backup, { force: true });
      expect(await installation.runWithConfig("backup", "--out", backup)).toMatchObject({ code: 0 });
      return (await readFile(backup, "utf8")).includes('"ownership"');
    });
    await serving.process.stop();

    const args = [join(former.folder, "bin", "claviger.js"), "plugin", "--config", installation.configPath];
    const log = join(dir, "former-plugin.log");
    const plugin = await startProcess({ name: "plugin", binary: process.execPath, args, log, home: dir });
    try {
      expect(await installation.serving()).toBe(sealed.key_id);
      await expectOpens(installation.client(), sealed);
    } finally {
      await plugin.stop();
    }
    for (const suffix of ["", "-wal", "-shm"])
      await rm(`${installation.keyringPath}${suffix}`, { force: true });
    const restore = ["restore", "--config", installation.configPath, backup];
    const { code, stderr } = await claviger(former.folder, ...restore);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^claviger: backup .+ use the release that wrote it\n$/);
  });
});
