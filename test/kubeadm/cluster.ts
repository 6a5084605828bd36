import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { say } from "../controlplane/build.ts";
import { removeOnExit } from "../controlplane/reaper.ts";
import { eventually } from "../controlplane/wait.ts";
import { controlPlaneArchive } from "./images.ts";
import { Machine } from "./machine.ts";
import { must } from "./must.ts";
import { RUNTIME_PACKAGES, unpackedPackages } from "./packages.ts";
import { nodePrograms } from "./programs.ts";
import { missingRequirement } from "./requirements.ts";

/** Everything that a machine of a cluster is made of. */
export interface Parts {
  readonly version: string;
  /** The folder of Debian packages of a machine. */
  readonly packages: string;
  /** Folders with programs: kubelet and kubeadm, kubectl. */
  readonly path: readonly string[];
  /** The archive of the control plane's images. */
  readonly images: string;
}

/**
 * Returns what a kubeadm cluster is made of, from the user's cache or built into it, which takes minutes the
 * first time. If this machine cannot run one: returns undefined, after one line on stderr that says why.
 */
export async function kubeadmParts(): Promise<Parts | undefined> {
  const missing = await missingRequirement();
  if (missing !== undefined) {
    say(`skipping the tests on a kubeadm cluster: they need ${missing}`);
    return undefined;
  }
  const binaries = await controlPlaneBinaries();
  const programs = await nodePrograms();
  if (binaries === undefined || programs === undefined) return undefined;
  return {
    version: programs.version,
    packages: await unpackedPackages("runtime", RUNTIME_PACKAGES),
    path: [dirname(programs.kubelet), dirname(binaries.kubectl)],
    images: await controlPlaneArchive(binaries, programs),
  };
}

/** A cluster of kubeadm on machines made of namespaces. */
export interface KubeadmCluster extends AsyncDisposable {
  readonly parts: Parts;
  /** The first control-plane node. kubectl in its shell is the cluster's admin. */
  readonly node: Machine;
  /** Runs kubectl as the admin on the first node and returns what it printed. Throws if it fails. */
  kubectl(args: string, stdin?: string): Promise<string>;
  /** Boots another machine, in the same network, with containerd, images and kubelet, for `kubeadm join`. */
  addMachine(): Promise<Machine>;
  stop(): Promise<void>;
}

export interface ClusterOptions {
  /** The release that the images are named after, for an upgrade to that of the parts: the programs are the same. */
  readonly release?: string;
  /** Further flags of the API servers. */
  readonly apiServer?: Readonly<Record<string, string>>;
}

/**
 * Starts a cluster of one control-plane node by `kubeadm init`. Resolves when its API server is ready, and
 * leaves nothing behind if it fails.
 */
export async function startKubeadmCluster(
  parts: Parts,
  { release = parts.version, apiServer = {} }: ClusterOptions = {},
): Promise<KubeadmCluster> {
  const folder = await mkdtemp(join(tmpdir(), "clvk-"));
  removeOnExit(folder);
  const machines: Machine[] = [];
  const stop = async () => {
    for (const machine of machines) await machine.remove();
  };
  const addMachine = async () => {
    const machine = newMachine(folder, machines.length + 1, parts);
    machines.push(machine);
    await bootServices(machine);
    if (machines[0] !== undefined && machines[0] !== machine) await connect(machines[0], machine);
    await machine.must(`ctr -n k8s.io images import ${parts.images}`);
    return machine;
  };
  try {
    const node = await addMachine();
    if (release !== parts.version) await nameImages(node, parts.version, release);
    await kubeadmInit(node, initConfiguration(node, release, apiServer));
    const kubectl = (args: string, stdin?: string) => node.must(`kubectl ${args}`, stdin);
    return { parts, node, kubectl, addMachine, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

const newMachine = (folder: string, index: number, { packages, path }: Parts): Machine =>
  new Machine({
    name: `cp-${index}`,
    address: `192.168.77.${index + 1}`,
    folder: join(folder, `cp-${index}`),
    packages,
    path,
  });

/** Lays a cable between the bridges of two machines. */
async function connect(one: Machine, other: Machine): Promise<void> {
  const ip = (machine: Machine, ...args: string[]) =>
    must("nsenter", ["--target", machine.id, "--net", "ip", "link", ...args]);
  const [here, there] = [`to-${other.name}`, `to-${one.name}`];
  await ip(one, "add", here, "type", "veth", "peer", "name", there, "netns", other.id);
  await ip(one, "set", here, "master", "node0", "up");
  await ip(other, "set", there, "master", "node0", "up");
}

/** Boots a machine and starts what systemd would start: tmpfiles, containerd, kubelet. */
export async function bootServices(machine: Machine): Promise<void> {
  await machine.boot();
  await machine.must("systemd-tmpfiles --create claviger.conf 2> /dev/null || true");
  await machine.start("containerd");
  await eventually(
    `containerd of ${machine.name} answers`,
    async () => (await machine.sh("ctr version")).code === 0,
  );
  await machine.start("kubelet");
}

/** Gives the control plane's images of a machine the names of another release, too. */
async function nameImages(node: Machine, version: string, release: string): Promise<void> {
  for (const component of ["kube-apiserver", "kube-controller-manager", "kube-scheduler"]) {
    const image = `registry.k8s.io/${component}`;
    await node.must(`ctr -n k8s.io images tag ${image}:v${version} ${image}:v${release} > /dev/null`);
  }
}

async function kubeadmInit(node: Machine, configuration: string): Promise<void> {
  await node.must("mkdir -p /etc/kubernetes && cat > /etc/kubernetes/init.yaml", configuration);
  await node.must(
    "kubeadm init --config /etc/kubernetes/init.yaml --ignore-preflight-errors=SystemVerification",
  );
}

const apiServerOf = (flags: Readonly<Record<string, string>>) => {
  const extraArgs = Object.entries(flags).map(([name, value]) => ({ name, value }));
  return extraArgs.length === 0 ? {} : { extraArgs };
};

const initConfiguration = (
  { name, address }: Machine,
  version: string,
  apiServer: Readonly<Record<string, string>>,
): string => `
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: { advertiseAddress: ${address}, bindPort: 6443 }
nodeRegistration: { name: ${name}, criSocket: "unix:///run/containerd/containerd.sock", imagePullPolicy: Never }
timeouts: { kubernetesAPICall: 10m, kubeletHealthCheck: 10m, etcdAPICall: 10m, upgradeManifests: 15m }
skipPhases: [addon/kube-proxy, addon/coredns]
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v${version}
controlPlaneEndpoint: ${address}:6443
apiServer: ${JSON.stringify(apiServerOf(apiServer))}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
failCgroupV1: false
# The machine's disk is this host's: a full one must not cost the images, which no registry has.
imageGCHighThresholdPercent: 100
evictionHard: { nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%" }
`;
