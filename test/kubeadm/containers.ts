import { eventually } from "../controlplane/wait.ts";
import type { Machine } from "./machine.ts";

/** The containers of a control-plane node with claviger. */
export const CONTAINERS = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "plugin",
  "operator",
] as const;
export type ContainerName = (typeof CONTAINERS)[number];

/** Returns the process id, in the machine, of the running container of that name, or undefined. */
export async function processOf(node: Machine, container: ContainerName): Promise<string | undefined> {
  const { stdout } = await node.sh(
    `ctr -n k8s.io containers ls -q 'labels."io.kubernetes.container.name"==${container}' | while read -r id; do
       ctr -n k8s.io tasks ls | awk -v id="$id" '$1 == id && $3 == "RUNNING" { print $2 }'
     done`,
  );
  return stdout.trim().split("\n").at(-1) || undefined;
}

/** Kills a container's process, and resolves when the kubelet has started another. */
export async function killContainer(node: Machine, name: ContainerName): Promise<void> {
  const before = await processOf(node, name);
  await node.must(`kill -9 ${before}`);
  await anotherProcess(node, name, before);
}

/** Resolves when a container runs with another process than `before`. */
export async function anotherProcess(
  node: Machine,
  name: ContainerName,
  before: string | undefined,
): Promise<void> {
  await eventually(
    `${name} runs again on ${node.name}`,
    async () => {
      const now = await processOf(node, name);
      return now !== undefined && now !== before;
    },
    { deadline: 600_000 },
  );
}
