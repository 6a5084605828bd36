import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../controlplane/wait.ts";
import {
  changeImage,
  claviger,
  clavigerAsAdmin,
  clavigerWithoutPod,
  crash,
  encryptByKubeadm,
  handOver,
  installByHand,
  standBeside,
  startPod,
  stopPod,
} from "./by-hand.ts";
import { bootServices, type KubeadmCluster, kubeadmParts, startKubeadmCluster } from "./cluster.ts";
import { anotherProcess, killContainer, processOf } from "./containers.ts";
import type { Service } from "./machine.ts";
import { type Answers, SocketProbe } from "./socket-probe.ts";
import { storedBelow } from "./stored.ts";

const parts = await kubeadmParts();
const SOCKET = "/run/claviger/secrets.sock";
const PATIENCE = { deadline: 900_000, every: 500 };
const SECRETS = "/registry/secrets/";

/** The tests of one cluster, in order: each begins with the cluster that the former one left. */
describe.skipIf(parts === undefined)("the static pods as deployed, on a cluster of kubeadm", () => {
  let cluster: KubeadmCluster;
  let begun = performance.now();
  let rotation: Promise<string>;

  beforeAll(async () => {
    if (parts === undefined) return;
    cluster = await startKubeadmCluster(parts);
    took("kubeadm init");
    await cluster.kubectl("create secret generic before --from-literal=text=before");
    await cluster.kubectl("wait --for=condition=Ready --timeout=600s nodes --all");
  });
  afterAll(() => cluster?.stop());

  /** Prints how long the step before took: the figures are for people. */
  const took = (step: string) => {
    process.stderr.write(`  ${((performance.now() - begun) / 1000).toFixed(1)} s: ${step}\n`);
    begun = performance.now();
  };
  const read = async (name: string): Promise<string> =>
    Buffer.from(await cluster.kubectl(`get secret ${name} -o jsonpath={.data.text}`), "base64").toString();
  const readable = () =>
    eventually(
      "the Secret is read",
      async () => (await read("hello").catch(() => "")) === "secret",
      PATIENCE,
    );
  const currentVersion = () =>
    cluster.kubectl("-n claviger-system get mk secrets -o jsonpath={.status.currentVersion.number}");
  const probed = async (action: () => Promise<void>): Promise<Answers> => {
    const probe = new SocketProbe(cluster.node, SOCKET);
    await action().finally(() => probe.end());
    return probe.end();
  };

  it("the pods come up with the priority of system-node-critical and without a warning, and the key is Ready", async () => {
    await installByHand(cluster);
    took("claviger installed, key Ready");
    for (const name of ["plugin", "operator"]) {
      const pod = `claviger-${name}-${cluster.node.name}`;
      const priority = await cluster.kubectl(`-n kube-system get pod ${pod} -o jsonpath={.spec.priority}`);
      expect(priority).toBe("2000001000");
    }
    expect(await cluster.node.must("grep -i 'priority.*claviger' /var/log/kubelet.log || true")).toBe("");
  });

  it("flag and mounts in kubeadm-config => a Secret is encrypted in etcd, and kubeadm upgrade would keep them", async () => {
    await encryptByKubeadm(cluster);
    took("the API server runs with the EncryptionConfiguration");
    await cluster.kubectl("create secret generic hello --from-literal=text=secret");
    await readable();
    const stored = await storedBelow(cluster.node, `${SECRETS}default/hello`);
    expect([...stored.values()][0]).toMatch(/^k8s:enc:kms:v2:secrets:/);
    expect(await read("before")).toBe("before");
    const diff = await cluster.node.must(`kubeadm upgrade diff v${cluster.parts.version}`);
    expect(diff.match(/^[+-].*(encryption|claviger|enc\b).*$/gm)).toBeNull();
  });

  it("rotate --wait => begins, and goes on during the next tests", async () => {
    rotation = clavigerAsAdmin(cluster, "rotate claviger-system/secrets --wait");
    rotation.catch(() => undefined);
    await eventually("version 2 is current", async () => (await currentVersion()) === "2", PATIENCE);
    took("rotated");
  });

  it("the operator is killed, then upgraded by an edit of its static pod => the plugin answers every question meanwhile", async () => {
    const { node } = cluster;
    const plugin = await processOf(node, "plugin");
    const answers = await probed(async () => {
      await killContainer(node, "operator");
      const before = await processOf(node, "operator");
      await changeImage(node, "operator", "claviger:0.1.1");
      await anotherProcess(node, "operator", before);
    });
    expect(answers.refused).toBe(0);
    expect(await processOf(node, "plugin")).toBe(plugin);
    await readable();
    took(`operator killed and upgraded, longest gap of the socket ${answers.longestGap} ms`);
  });

  const ORDERS: readonly (readonly [readonly [Service, Service], readonly [Service, Service]])[] = [
    [
      ["kubelet", "containerd"],
      ["containerd", "kubelet"],
    ],
    [
      ["kubelet", "containerd"],
      ["kubelet", "containerd"],
    ],
    [
      ["containerd", "kubelet"],
      ["containerd", "kubelet"],
    ],
    [
      ["containerd", "kubelet"],
      ["kubelet", "containerd"],
    ],
  ];

  it.each(ORDERS)(
    "%s stop, %s start => no container restarts, and the Secret is read in between",
    async (stops, starts) => {
      const { node } = cluster;
      const names = ["kube-apiserver", "plugin", "operator"] as const;
      const before = await Promise.all(names.map((name) => processOf(node, name)));
      const answers = await probed(async () => {
        for (const service of stops) await node.stop(service);
        expect(await read("hello")).toBe("secret");
        for (const service of starts) await node.start(service);
        await eventually("containerd answers", async () => (await node.sh("ctr version")).code === 0);
        const since = (await node.must("date +%s")).trim();
        await eventually(
          "the kubelet reports the node again",
          async () => {
            const renewed = await cluster.kubectl(
              `-n kube-node-lease get lease ${node.name} -o jsonpath={.spec.renewTime}`,
            );
            return Date.parse(renewed) / 1000 >= Number(since);
          },
          PATIENCE,
        );
      });
      expect(answers.refused).toBe(0);
      expect(await Promise.all(names.map((name) => processOf(node, name)))).toEqual(before);
      took(`${stops.join(", ")} stopped, ${starts.join(", ")} started`);
    },
  );

  it("the rotation ends => every Secret lies under the new version, by a count in etcd", async () => {
    await rotation;
    took("the rotation proven");
    const { rows } = JSON.parse(await claviger(cluster, cluster.node, "census -o json"));
    expect(rows).toEqual([
      expect.objectContaining({ resource: "secrets", version: "claviger-system/secrets v2" }),
    ]);
    await readable();
    expect(await read("before")).toBe("before");
  });

  it.each(["plugin", "kube-apiserver", "etcd", "kube-controller-manager", "kube-scheduler"] as const)(
    "%s is killed => the kubelet starts it again, and the Secret is read",
    async (name) => {
      await killContainer(cluster.node, name);
      await readable();
      took(`${name} killed, the Secret read`);
    },
  );

  it("the plugin is upgraded by a second static pod that stands by => the socket answers again at once", async () => {
    const { node } = cluster;
    const answers = await probed(() => handOver(node, "claviger:0.1.2"));
    took(`plugin upgraded by a hand-over: its socket did not answer for ${answers.longestGap} ms`);
    await readable();
  });

  it("the plugin crashes while another one stands by => the socket answers again at once", async () => {
    const { node } = cluster;
    const second = await processOf(node, "plugin");
    await standBeside(node);
    const answers = await probed(() => crash(node, second));
    took(`plugin crashed beside another one: its socket did not answer for ${answers.longestGap} ms`);
    expect(answers.longestGap).toBeLessThan(10_000);
    await readable();
    await node.must("rm /etc/kubernetes/manifests/claviger-plugin-b.yaml");
  });

  it("the keyring is lost => a backup is restored while both pods are stopped, and the plugin opens the Secret before the operator starts", async () => {
    const { node } = cluster;
    await claviger(cluster, node, "backup --out /var/lib/claviger/backup.jsonl");
    await node.must("install -d -m 700 /opt/backup && mv /var/lib/claviger/backup.jsonl /opt/backup/");
    await stopPod(node, "operator");
    await stopPod(node, "plugin");
    await node.must("mv /var/lib/claviger /var/lib/claviger.lost && install -d -m 700 /var/lib/claviger");
    await clavigerWithoutPod(node, "restore /opt/backup/backup.jsonl");
    await startPod(node, "plugin");
    await killContainer(node, "kube-apiserver");
    await readable();
    await startPod(node, "operator");
    took("restored, the Secret read");
  });

  it("a power cut and a boot => the Secret is read", async () => {
    await cluster.node.halt();
    await bootServices(cluster.node);
    await readable();
    took("halted, booted, the Secret read");
  });
});
