import { readdirSync } from "node:fs";
import { isMap, parseDocument } from "yaml";
import { readApiServerManifest } from "../kubeadm/api-server-manifest.ts";
import { readClusterConfiguration } from "../kubeadm/cluster-config-map.ts";
import { endpointOf, kubeadmFile, withEndpoint } from "../kubeadm/cluster-configuration.ts";
import { kubeadmKubeconfig } from "../kubeadm/kubeadm.ts";
import { PATHS } from "../paths.ts";
import { placeOf, type Site } from "../site.ts";
import { apiServerText } from "../steps/api-server-step.ts";
import { identitiesOf } from "../steps/kubeconfig-step.ts";
import { textOf } from "../text-file.ts";
import type { JoinRequest } from "./request.ts";

/**
 * Returns the files that another node needs: its own kubeconfigs, and this node's configuration,
 * EncryptionConfiguration and static pods.
 */
export async function filesFor(site: Site, request: JoinRequest): Promise<ReadonlyMap<string, string>> {
  const pods = readdirSync(placeOf(site, PATHS.manifests)).filter((name) =>
    /^claviger-\w+\.yaml$/.test(name),
  );
  const copied = [PATHS.encryptionConfig, ...pods.map((name) => `${PATHS.manifests}/${name}`)];
  const files = new Map<string, string>();
  for (const path of copied) {
    const text = textOf(placeOf(site, path));
    if (text !== undefined) files.set(path, text);
  }
  const config = textOf(placeOf(site, PATHS.config));
  if (config !== undefined) files.set(PATHS.config, forAnyNode(config));
  for (const [path, text] of await kubeconfigsFor(site, request)) files.set(path, text);
  return files;
}

/** A configuration that names its node would name the wrong one: the default is the host's name. */
function forAnyNode(config: string): string {
  const document = parseDocument(config);
  if (!isMap(document.contents) || !document.has("nodeName")) return config;
  document.delete("nodeName");
  return document.toString({ lineWidth: 0 });
}

/**
 * A node whose API server runs is led to that API server; a node that joins the cluster, to the address of
 * all API servers.
 */
async function kubeconfigsFor(site: Site, { nodeName, address }: JoinRequest): Promise<[string, string][]> {
  const configuration = await readClusterConfiguration(site);
  const local = readApiServerManifest(apiServerText(site));
  const endpoint = address === "" ? endpointOf(configuration) : address;
  const kubeadmConfig = kubeadmFile(withEndpoint(configuration, endpoint), local);
  const kubeconfigs: [string, string][] = [];
  for (const { path, user, group } of identitiesOf(site, nodeName)) {
    kubeconfigs.push([path, await kubeadmKubeconfig(site, { user, group, kubeadmConfig })]);
  }
  return kubeconfigs;
}
