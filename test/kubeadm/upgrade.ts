import { eventually } from "../controlplane/wait.ts";
import { type ContainerName, processOf } from "./containers.ts";
import type { Machine } from "./machine.ts";

const CONTROL_PLANE = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] as const;
const MANIFESTS = "/etc/kubernetes/manifests";

/** Returns a release before `version` from which kubeadm upgrades to it. */
export function releaseBefore(version: string): string {
  const [major, minor, patch] = version.split(".").map(Number);
  return patch ? `${major}.${minor}.${patch - 1}` : `${version}-rc.0`;
}

/** Upgrades a cluster as its administrator would. The tests' machines have no CoreDNS, and cgroup v1. */
export const upgradeCluster = (node: Machine, version: string): Promise<string> =>
  node.must(
    `kubeadm upgrade apply v${version} --yes --skip-phases=addon --ignore-preflight-errors=SystemVerification,CoreDNSUnsupportedPlugins,CoreDNSMigration`,
  );

/** Returns the digests, modes and owners of claviger's files on a node, one a line. */
export const clavigerFiles = (node: Machine): Promise<string> =>
  node.must(
    `set -e; files=$(find /etc/claviger /etc/kubernetes/enc /etc/tmpfiles.d/claviger.conf ${MANIFESTS}/claviger-*.yaml -type f | sort)
     sha256sum $files; stat -c '%n %a %u:%g' $files`,
  );

/** Returns the processes of containers of a node, in their order. */
export const processesOf = (node: Machine, names: readonly ContainerName[]) =>
  Promise.all(names.map((name) => processOf(node, name)));

/**
 * Renews the certificates of kubeadm, and restarts the control plane as kubeadm's documentation says: the manifests
 * are moved away until the kubelet has ended the pods, and moved back. Resolves when the API server is ready.
 */
export async function renewAndRestart(node: Machine): Promise<void> {
  await node.must("kubeadm certs renew all");
  const files = CONTROL_PLANE.map((name) => `${name}.yaml`).join(" ");
  await node.must(`mkdir /root/manifests && cd ${MANIFESTS} && mv ${files} /root/manifests/`);
  await eventually(
    "the kubelet has ended the control plane",
    async () => (await processesOf(node, CONTROL_PLANE)).every((id) => id === undefined),
    { deadline: 300_000 },
  );
  await node.must(`cd /root/manifests && mv ${files} ${MANIFESTS}/ && rmdir /root/manifests`);
  await eventually(
    "the API server is ready again",
    async () => (await node.sh("kubectl get --raw /readyz")).code === 0,
    { deadline: 600_000 },
  );
}

/** Gives the operator of a node a certificate that expires within an hour. */
export async function signForAnHour(node: Machine): Promise<void> {
  const user = `--client-name claviger-node:${node.name} --org claviger:nodes --validity-period 1h`;
  await node.must(
    `umask 077; kubeadm kubeconfig user ${user} > /root/kubeconfig && mv /root/kubeconfig /etc/claviger/kubeconfig`,
  );
}
