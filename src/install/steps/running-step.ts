import { fieldsOf } from "../../json.ts";
import { ownServer, readCluster } from "../cluster-facts.ts";
import { readObject } from "../objects/apply-object.ts";
import type { Site } from "../site.ts";
import { done, type Step, wait } from "../step.ts";

/** Waits until plugin and operator of this node run. */
export const nodeStep = (site: Site): Step => ({
  name: "plugin and operator",
  patience: 5 * 60_000,
  plan: async () => {
    const own = ownServer(site, await readCluster(site));
    if (own?.status?.seal !== undefined) return done(`they run, by KeyServer ${site.nodeName}`);
    const pods = await Promise.all(podPaths(site).map((path) => readObject(site, path)));
    const why = pods.flatMap(troublesOf).join("; ") || "the kubelet starts plugin and operator";
    return wait(`KeyServer ${site.nodeName} is not there yet: ${why}`);
  },
});

/** The paths of the kubelet's mirror pods of plugin and operator. */
export const podPaths = (site: Pick<Site, "nodeName">): string[] =>
  (["plugin", "operator"] as const).map((part) => podPath(site, part));

/** The path of the kubelet's mirror pod of a part of claviger. */
export const podPath = ({ nodeName }: Pick<Site, "nodeName">, part: "plugin" | "operator" | "api"): string =>
  `/api/v1/namespaces/kube-system/pods/claviger-${part}-${nodeName}`;

/** Returns the reasons why the containers of a pod do not run, such as an image that is not on the node. */
export function troublesOf(pod: unknown): string[] {
  const { containerStatuses } = fieldsOf(fieldsOf(pod).status);
  const statuses: readonly unknown[] = Array.isArray(containerStatuses) ? containerStatuses : [];
  return statuses.flatMap((status) => {
    const { name, state, image } = fieldsOf(status);
    const { reason, message } = fieldsOf(fieldsOf(state).waiting);
    if (typeof reason !== "string" || reason === "ContainerCreating") return [];
    return [
      `container ${name} with image ${image} waits: ${reason}${typeof message === "string" ? ` (${message})` : ""}`,
    ];
  });
}
