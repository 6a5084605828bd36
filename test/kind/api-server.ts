/**
 * Reads kubeadm's kube-apiserver.yaml from stdin, and prints it with the flags and mounts of
 * docs/install/by-hand.md, step 8, and automatic reload. A manifest that has them already stays as it is.
 */
import { readFileSync } from "node:fs";
import { parse, stringify } from "yaml";

const FLAGS = [
  "--encryption-provider-config=/etc/kubernetes/enc/enc.yaml",
  "--encryption-provider-config-automatic-reload=true",
];
const FOLDERS = { enc: "/etc/kubernetes/enc", claviger: "/var/run/claviger" };

interface Pod {
  readonly spec: {
    readonly containers: readonly [{ readonly command: string[]; readonly volumeMounts: object[] }];
    readonly volumes: { readonly name: string; readonly hostPath: object }[];
  };
}

/** Returns the manifest with flags and mounts. */
export function withClaviger(text: string): string {
  const pod: Pod = parse(text);
  const [{ command, volumeMounts }] = pod.spec.containers;
  command.push(...FLAGS.filter((flag) => !command.includes(flag)));
  for (const [name, path] of Object.entries(FOLDERS)) {
    if (pod.spec.volumes.some((volume) => volume.name === name)) continue;
    pod.spec.volumes.push({ name, hostPath: { path, type: "Directory" } });
    volumeMounts.push({ name, mountPath: path, ...(name === "enc" && { readOnly: true }) });
  }
  return stringify(pod);
}

if (import.meta.main) process.stdout.write(withClaviger(readFileSync(0, "utf8")));
