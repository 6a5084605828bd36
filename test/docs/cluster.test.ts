import { chmod, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { type Cluster, startCluster } from "../cluster/cluster.ts";
import type { ClavigerNode } from "../cluster/node.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { type CommandResult, run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { pythonWithCryptography } from "../vectors/python.ts";
import { operationsBlock, ROOT, read, testedBlock, testedBlocks } from "./markdown.ts";

/** In place of four minutes: longer than a write that begins under a former key_id takes here. Each socket has one entry. */
const SETTLE_SECONDS = 10;

/** The pages whose blocks are run. */
const BY_HAND = "docs/install/by-hand.md";
const TRY = "docs/try.md";

const binaries = await controlPlaneBinaries();

describe.skipIf(binaries === undefined)("the commands of the docs on a cluster of two nodes", () => {
  let cluster: Cluster;
  let folder: string;
  let environment: NodeJS.ProcessEnv;

  beforeAll(async () => {
    cluster = await startCluster({
      nodes: 2,
      environment: { CLAVIGER_TEST_SETTLE_SECONDS: String(SETTLE_SECONDS) },
    });
    await Promise.all(cluster.nodes.map((node) => node.killAll()));
    for (const node of cluster.nodes) await configureAsShown(node, cluster.plane.etcd.endpoint);
    await Promise.all(cluster.nodes.map((node) => node.startBoth()));
    folder = await mkdtemp(join(tmpdir(), "claviger-docs-"));
    await symlink(binaries?.kubectl ?? "", join(folder, "kubectl"));
    const claviger = join(folder, "claviger");
    await writeFile(
      claviger,
      `#!/bin/sh\nexec ${process.execPath} ${join(ROOT, "bin", "claviger.js")} "$@"\n`,
    );
    await chmod(claviger, 0o755);
    environment = {
      PATH: `${folder}:${process.env.PATH}`,
      HOME: folder,
      KUBECONFIG: await cluster.plane.apiServers[0]?.kubeconfig(),
      ETCD: cluster.plane.etcd.endpoint,
    };
  });
  afterAll(async () => {
    await cluster?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs a command as somebody at a terminal in the checkout. */
  const shell = (text: string): Promise<CommandResult> =>
    run("bash", ["-euo", "pipefail", "-c", text], { cwd: ROOT, env: environment, deadline: 600_000 });
  const succeeds = async (text: string): Promise<string> => {
    const { code, stdout, stderr } = await shell(text);
    expect(code, `${text}\n${stdout}${stderr}`).toBe(0);
    return stdout;
  };

  it("install resources, rights and the key, which becomes Ready", async () => {
    let shown = "";
    for (const { text } of testedBlocks(BY_HAND, "install")) shown = await succeeds(text);
    expect(headers(shown)).toEqual(headers(testedBlock(BY_HAND, "resources")));
    expect(await succeeds("kubectl get mk -n claviger-system")).toMatch(/Enabled +1 +\w{32} +True/);
    await cluster.ready();
  });

  it("show the key, write a Secret and read it", async () => {
    expect(await succeeds(testedBlock(TRY, "cluster"))).toMatch(/VersionPromoted[\s\S]*secret\n$/);
  });

  it("show that etcd has it encrypted under the provider's name", async () => {
    const shown = await succeeds(testedBlock(TRY, "etcd"));
    expect(shown).toMatch(/^k8s:enc:kms:v2:secrets:/);
    expect(shown).not.toContain("secret\n");
  });

  it("verify, and write every Secret back", async () => {
    await succeeds("kubectl delete secret hello");
    const [look, ...rewrite] = testedBlocks(BY_HAND, "verify");
    await succeeds(look?.text ?? "");
    for (const { text } of rewrite) {
      // Another client may change a Secret in between, and the page says to run the command again.
      await eventually("every command succeeded", async () => (await shell(text)).code === 0, {
        deadline: 600_000,
        every: 1_000,
      });
    }
  });

  const verified = () =>
    eventually(
      "a census found nothing else",
      async () => {
        const reason = "-o jsonpath='{.status.conditions[?(@.type==\"Reencrypted\")].reason}'";
        return (await succeeds(`kubectl get mk -n claviger-system secrets ${reason}`)) === "Verified";
      },
      { deadline: 600_000, every: 2_000 },
    );

  it("re-encrypt what was stored before, and verify it", async () => {
    await verified();
    expect(await succeeds("kubectl get mk -n claviger-system")).toContain(" Complete ");
  });

  it("rotate, after which nothing is left under the old version", async () => {
    const rotate = "claviger rotate claviger-system/secrets --wait";
    expect(read(BY_HAND)).toContain(rotate);
    expect(testedBlock(TRY, "rotate")).toContain(rotate.replace("claviger", "npm run -s claviger --"));
    await succeeds(testedBlock(TRY, "rotate"));
    await verified();
    const [node] = cluster.nodes;
    const counted = await succeeds(`claviger census --config ${node?.configPath}`);
    expect(counted).toMatch(/^secrets +secrets +\w{32} +claviger-system\/secrets v2 +\d+$/m);
    expect(counted).not.toMatch(/v1|plain/);
  });

  /** Runs the commands of a block as a node's administrator, with its paths in a folder of ours. */
  const onNode = (node: ClavigerNode, name: string) =>
    succeeds(
      operationsBlock(name)
        .replaceAll("/etc/claviger/claviger.yaml", node.configPath)
        .replaceAll("/etc/claviger/root.key", node.rootKeyPath)
        .replaceAll("keyring-20260102T030405", "keyring-*")
        .replaceAll(/\/(backup|safe)\b/g, folder),
    );

  it("the back-ups of docs/operations/backup-restore.md bring back versions that no node and no API server has any more", async () => {
    const [first, ...others] = cluster.nodes;
    if (first === undefined) throw new Error("there is no node");
    expect(await onNode(first, "backup")).toContain("The root key is NOT in it");
    await onNode(first, "backup root key");
    const before = await succeeds("kubectl get kv -o jsonpath='{.items[*].spec}'");
    await Promise.all(cluster.nodes.map((node) => node.killAll()));
    await Promise.all(cluster.nodes.map((node) => rm(node.stateDir, { recursive: true })));
    await succeeds(`kubectl delete kv --all; base64 -d ${folder}/root.key.base64 > ${first.rootKeyPath}`);
    await onNode(first, "restore");
    await first.startBoth();
    await Promise.all(others.map((node) => node.startBoth()));
    await eventually("every KeyVersion is back", async () => {
      return (await succeeds("kubectl get kv -o jsonpath='{.items[*].spec}'")) === before;
    });
    await cluster.ready();
    expect(await succeeds("kubectl get secret hello -o jsonpath='{.data.text}' | base64 -d")).toBe("secret");
  });

  it("the recovery script of docs/formats.md opens a Secret from etcd with the root key and a KeyVersion or a backup", async ({
    skip,
  }) => {
    const python = pythonWithCryptography();
    if (python === undefined) return skip("there is no python3");
    const etcdKey = "/registry/secrets/default/hello";
    const [entry] = await cluster.plane.etcd.get(etcdKey);
    await writeFile(join(folder, "recover.py"), testedBlock("docs/formats.md", "recovery"));
    await writeFile(join(folder, "root.key"), cluster.rootKey, { mode: 0o600 });
    await writeFile(join(folder, "value"), entry?.value ?? "");
    await succeeds(`kubectl get kv -o json > ${folder}/keyversions.json`);
    for (const versions of ["keyversions.json", "keyring-*.jsonl"]) {
      const opened = await succeeds(
        `cd ${folder} && ${python} recover.py root.key ${versions} ${etcdKey} < value`,
      );
      expect(opened).toMatch(/^k8s\0/);
      expect(opened).toContain("hello");
      expect(opened).toMatch(/text[\s\S]{1,4}secret/);
    }
  });
});

/** Returns the first line of each of kubectl's tables, whatever its widths. */
const headers = (tables: string): string[] =>
  [...tables.matchAll(/^NAMESPACE .*$/gm)].map(([line]) => line.replaceAll(/ +/g, " "));

/** Writes the configuration of the installation by hand, with the addresses and folders of a test cluster. */
async function configureAsShown(node: ClavigerNode, etcd: string): Promise<void> {
  const shown = parse(testedBlock(BY_HAND, "configuration"));
  const { kubeconfig, rewriter } = parse(await readFile(node.configPath, "utf8"));
  const [provider] = shown.providers;
  const config = {
    ...shown,
    nodeName: node.name,
    stateDir: node.stateDir,
    seal: { file: { path: node.rootKeyPath } },
    providers: [{ ...provider, socket: node.socket(provider.name) }],
    kubeconfig,
    ...(shown.rewriter && { rewriter }),
    ...(shown.encryptionConfig && { encryptionConfig: node.encryptionConfigPath }),
    ...(shown.etcd && { etcd: { endpoints: [etcd] } }),
    // Any free port, because the nodes share a machine.
    metrics: { listen: "127.0.0.1:0", operatorListen: "127.0.0.1:0" },
  };
  await writeFile(node.configPath, stringify(config));
}
