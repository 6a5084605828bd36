import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KeyringReader } from "../../src/keyring/reader.ts";
import type { KeyVersion, MasterKey } from "../../src/resources/resources.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { applyKey, type Cluster, KEY, startCluster } from "./cluster.ts";
import type { ClavigerNode } from "./node.ts";

const binaries = await controlPlaneBinaries();
const CLAVIGER = join(import.meta.dirname, "..", "..", "bin", "claviger.js");
const SECRETS = "/api/v1/namespaces/default/secrets";

describe.skipIf(binaries === undefined)("three nodes, and Secrets under two versions of the key", () => {
  let cluster: Cluster;
  /** The Secrets that must be readable, as name → text. */
  const written = new Map<string, string>();

  beforeAll(async () => {
    // Every API server is restarted at each rotation, and then asks for the key_id at once.
    cluster = await startCluster({ nodes: 3, environment: { CLAVIGER_TEST_SETTLE_SECONDS: "10" } });
    await applyKey(cluster);
    await write("under-1");
    await rotate();
    await write("under-2");
  });
  afterAll(() => cluster?.stop());

  const masterKey = async (): Promise<MasterKey> =>
    JSON.parse(await cluster.kubectl(["get", "mk", "-n", "claviger-system", "secrets", "-o", "json"]));
  const keyVersions = async (): Promise<readonly KeyVersion[]> =>
    JSON.parse(await cluster.kubectl(["get", "kv", "-o", "json"])).items;
  const specs = async (): Promise<string[]> =>
    (await keyVersions()).map(({ spec }) => JSON.stringify(spec)).sort();
  const restartServers = async (): Promise<void> => {
    await Promise.all(cluster.plane.apiServers.map((server) => server.restart()));
    await cluster.ready();
  };
  const currentIn = (node: ClavigerNode): number | undefined => {
    const reader = KeyringReader.open(node.keyringPath);
    try {
      return reader.snapshot().keys.get(KEY)?.current?.number;
    } finally {
      reader.close();
    }
  };
  const claviger = async (
    node: ClavigerNode,
    command: string,
    ...more: readonly string[]
  ): Promise<string> => {
    const args = [CLAVIGER, command, "--config", node.configPath, ...more];
    const { code, stdout, stderr } = await run(process.execPath, args, { cwd: node.dir });
    expect(code, stderr).toBe(0);
    return stdout;
  };

  /** Writes a Secret through each API server, and checks in etcd that it is under the current version. */
  const write = async (name: string): Promise<void> => {
    for (const [index, server] of cluster.plane.apiServers.entries()) {
      const metadata = { name: `${name}-by-${index}` };
      const text = randomBytes(8).toString("hex");
      const body = { apiVersion: "v1", kind: "Secret", metadata, stringData: { text } };
      expect((await server.request("POST", SECRETS, { body })).status).toBe(201);
      written.set(metadata.name, text);
      const [entry] = await cluster.plane.etcd.get(`/registry/secrets/default/${metadata.name}`);
      expect(entry?.value.includes((await masterKey()).status?.currentVersion?.kmsKeyId ?? "none")).toBe(
        true,
      );
    }
  };
  const expectReadable = async (): Promise<void> => {
    for (const server of cluster.plane.apiServers) {
      const { status, body } = await server.request("GET", SECRETS);
      expect(status).toBe(200);
      const { items } = body as { items: { metadata: { name: string }; data: { text: string } }[] };
      const texts = items.map(({ metadata, data }) => [
        metadata.name,
        Buffer.from(data.text, "base64").toString(),
      ]);
      expect(Object.fromEntries(texts)).toEqual(Object.fromEntries(written));
    }
  };
  /** Rotates until the next version is current on every node and used by every API server. */
  const rotate = async (): Promise<void> => {
    const number = ((await masterKey()).status?.currentVersion?.number ?? 0) + 1;
    const kubeconfig = (await cluster.plane.apiServers[0]?.kubeconfig()) ?? "";
    const args = [CLAVIGER, "rotate", KEY, "--kubeconfig", kubeconfig];
    expect(await run(process.execPath, args)).toMatchObject({ code: 0, stderr: "" });
    await eventually(
      `version ${number} is current everywhere`,
      async () => {
        const { status } = await masterKey();
        const held = cluster.nodes.map(currentIn);
        if (status?.currentVersion?.number === number && held.every((current) => current === number))
          return true;
        throw new Error(`nodes are at ${held.join()}, the key at ${JSON.stringify(status)}`);
      },
      { deadline: 280_000 },
    );
    // A restart asks for the key_id at once; otherwise it takes up to a minute.
    await restartServers();
  };

  it("all KeyVersions and all state folders are lost => restored from one node's backup on another", async () => {
    const [first, second] = cluster.nodes;
    if (first === undefined || second === undefined) throw new Error("two nodes are needed");
    const backup = join(cluster.plane.dir, "backup.jsonl");
    expect(await claviger(first, "backup", "--out", backup)).toMatch(/1 key, 2 versions, 0 aliases/);
    const before = await specs();

    await Promise.all(cluster.nodes.map((node) => node.killAll()));
    await Promise.all(cluster.nodes.map((node) => rm(node.stateDir, { recursive: true })));
    await cluster.kubectl(["delete", "kv", "--all"]);
    await claviger(second, "restore", backup);
    await Promise.all(cluster.nodes.map((node) => node.startBoth()));

    await eventually("every KeyVersion is back", async () => (await specs()).join() === before.join());
    await eventually("version 2 encrypts on every node", async () =>
      cluster.nodes.every((node) => currentIn(node) === 2),
    );
    await restartServers();
    await expectReadable();
    expect((await masterKey()).status?.currentVersion?.number).toBe(2);
    await write("after-the-restore");
    await expectReadable();
  });

  it("MasterKey, KeyVersions and state folders are lost => it adopts what was restored", async () => {
    const [first] = cluster.nodes;
    if (first === undefined) throw new Error("a node is needed");
    const backup = join(cluster.plane.dir, "backup-2.jsonl");
    await claviger(first, "backup", "--out", backup);
    const before = await masterKey();

    await Promise.all(cluster.nodes.map((node) => node.killAll()));
    await Promise.all(cluster.nodes.map((node) => rm(node.stateDir, { recursive: true })));
    // Nobody can delete it while it is in use, so it is removed from etcd.
    await cluster.plane.etcd.delete("/registry/kms.claviger.dev/masterkeys/claviger-system/secrets");
    await eventually("it is gone", async () => {
      const args = ["get", "mk", "-n", "claviger-system", "secrets", "--ignore-not-found"];
      return (await cluster.kubectl(args)) === "";
    });
    await cluster.kubectl(["delete", "kv,ks", "--all"]);
    await claviger(first, "restore", backup);
    await Promise.all(cluster.nodes.map((node) => node.startBoth()));
    await eventually("the versions are back", async () => (await keyVersions()).length === 2);
    await applyKey(cluster);

    await eventually("every node encrypts under version 2 again", async () =>
      cluster.nodes.every((node) => currentIn(node) === 2),
    );
    const { keyId, currentVersion } = (await masterKey()).status ?? {};
    expect([keyId, currentVersion?.kmsKeyId]).toEqual([
      before.status?.keyId,
      before.status?.currentVersion?.kmsKeyId,
    ]);
    await restartServers();
    await expectReadable();
  });

  it("etcd goes back to before a promotion => every Secret of then is readable, and no node goes back", async () => {
    const copy = join(cluster.plane.dir, "etcd-copy");
    await cluster.plane.etcd.copyData(copy);
    await cluster.ready();
    const ofThen = new Map(written);
    await rotate();
    await write("lost-with-etcd");
    const before = await specs();
    expect(before).toHaveLength(3);

    // Plugins and operators continue to run.
    await Promise.all(cluster.plane.apiServers.map((server) => server.stop()));
    await cluster.plane.etcd.restoreData(copy);
    await Promise.all(cluster.plane.apiServers.map((server) => server.start()));
    await cluster.ready();
    written.clear();
    for (const [name, text] of ofThen) written.set(name, text);
    await expectReadable();

    const seen = new Set<number | undefined>();
    await eventually(
      "the nodes hand version 3 back, and it is current again",
      async () => {
        for (const node of cluster.nodes) seen.add(currentIn(node));
        const current = (await masterKey()).status?.currentVersion?.number;
        return current === 3 && (await specs()).join() === before.join();
      },
      { deadline: 500_000 },
    );
    expect([...seen]).toEqual([3]);
    await write("after-etcd-was-restored");
    await expectReadable();
  });
});
