import { kubeconfigExpiry } from "../../kube/certificate-expiry.ts";
import { readApiServerManifest } from "../kubeadm/api-server-manifest.ts";
import { readClusterConfiguration } from "../kubeadm/cluster-config-map.ts";
import { hostPort, kubeadmFile, withEndpoint } from "../kubeadm/cluster-configuration.ts";
import { hasApiIdentity } from "../node-api.ts";
import { PATHS } from "../paths.ts";
import { placeOf, type Site } from "../site.ts";
import { actIf, type Step } from "../step.ts";
import { textOf } from "../text-file.ts";
import { apiServerText } from "./api-server-step.ts";

/**
 * The identities of a node: its operator's; the rewriter's, which may list and patch Secrets; and the AWS KMS API's, if
 * this node's configuration has one.
 */
export const identitiesOf = (site: Site, nodeName = site.nodeName) => [
  { path: PATHS.kubeconfig, user: `claviger-node:${nodeName}`, group: "claviger:nodes" },
  { path: PATHS.rewriterKubeconfig, user: `claviger-rewriter:${nodeName}`, group: "claviger:rewriters" },
  ...(hasApiIdentity(site)
    ? [{ path: PATHS.apiKubeconfig, user: `claviger-api:${nodeName}`, group: "claviger:api" }]
    : []),
];

/**
 * The kubeconfigs of the node's identities, which lead to the API server of this node: the operator reports
 * about that API server. A kubeconfig that leads to another one, as claviger join brings it, is replaced.
 */
export const kubeconfigStep = (site: Site): Step => ({
  name: "kubeconfigs",
  plan: async () => {
    const local = readApiServerManifest(apiServerText(site));
    const kubeadmConfig = kubeadmFile(withEndpoint(await readClusterConfiguration(site), undefined), local);
    const server = `https://${hostPort(local)}`;
    const changes = identitiesOf(site)
      .filter(({ path }) => !leadsTo(textOf(placeOf(site, path)), server) || isOld(placeOf(site, path)))
      .map((identity) => ({ kind: "kubeconfig", ...identity, kubeadmConfig }) as const);
    return actIf(
      changes,
      `let kubeadm sign certificates for ${server}`,
      `they lead to ${server}; their certificates last a year, and init renews them in their last three months`,
    );
  },
});

/** kubectl and kubeadm write a server as a plain scalar. */
const leadsTo = (kubeconfig: string | undefined, server: string): boolean =>
  (kubeconfig ?? "").split("\n").some((line) => line.trim() === `server: ${server}`);

const RENEW_MILLISECONDS = 90 * 24 * 60 * 60 * 1000;

/** A file that nobody can read is made again. */
function isOld(path: string): boolean {
  try {
    const expiry = kubeconfigExpiry(path);
    return expiry !== undefined && expiry - Date.now() < RENEW_MILLISECONDS;
  } catch {
    return true;
  }
}
