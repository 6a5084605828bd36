import { ClavigerError } from "../../errors.ts";
import { fieldsOf } from "../../json.ts";
import { readObject } from "../objects/apply-object.ts";
import type { Site } from "../site.ts";

/** kubeadm keeps its ClusterConfiguration here, and renders manifests from it at an upgrade and a join. */
export const CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config";
const FIELD = "ClusterConfiguration";

/** Reads kubeadm's ClusterConfiguration. Throws InvalidArgument if kubeadm did not make the cluster. */
export async function readClusterConfiguration(site: Pick<Site, "kube" | "signal">): Promise<string> {
  const { data } = fieldsOf(await readObject(site, CONFIG_MAP));
  const text = fieldsOf(data)[FIELD];
  if (typeof text === "string") return text;
  throw new ClavigerError(
    "InvalidArgument",
    "there is no ConfigMap kube-system/kubeadm-config: this cluster was not made by kubeadm; install claviger by hand, as docs/install/by-hand.md says",
  );
}

/** Replaces kubeadm's ClusterConfiguration, unless somebody else changed it since it was `before`. */
export async function writeClusterConfiguration(site: Site, before: string, after: string): Promise<void> {
  const { kube, signal } = site;
  const path = `/data/${FIELD}`;
  const body = [
    { op: "test", path, value: before },
    { op: "replace", path, value: after },
  ];
  const contentType = "application/json-patch+json";
  await kube.request({ method: "PATCH", path: CONFIG_MAP, contentType, body, signal });
}
