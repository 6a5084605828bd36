import type { NodeConfig } from "../../config/config.ts";
import { codeOf, messageOf } from "../../errors.ts";
import { readClusterConfiguration } from "../../install/kubeadm/cluster-config-map.ts";
import { type EncryptionFacts, factsOf } from "../../install/kubeadm/cluster-configuration.ts";
import { KubeClient, LIKE_KUBECTL } from "../../kube/client.ts";
import { KubeError } from "../../kube/kube-error.ts";
import type { Lease } from "../../kube/leases.ts";
import { collectionPath, leasesPath } from "../../kube/paths.ts";
import type { KeyAlias, KeyServer, Kind, MasterKey } from "../../resources/resources.ts";
import { inScope, mergeScopes } from "../../storage/scope.ts";
import { apiResources } from "../../storage/served/api-resources.ts";
import { groupResourceText, isWildcard, parseGroupResource } from "../../storage/served/group-resource.ts";
import { RewriterIdentity } from "../../store/kube/rewriter-identity.ts";
import { nodeLeaseFrom } from "../../store/nodes/node-leases.ts";
import { timeOf } from "../../times.ts";
import { apiServerOfNode } from "../site/api-server-of-node.ts";
import { lookAtGrants } from "./gather-grants.ts";
import { lookAtVersion } from "./gather-version.ts";
import { absent, type Look, look } from "./look.ts";
import type { ClusterResources, MissingRight, NodeLease, Observed, ServerClock } from "./observed.ts";

type ClusterLooks = Pick<
  Observed["looks"],
  | "resources"
  | "leases"
  | "apiServer"
  | "kubeadm"
  | "clock"
  | "kubernetes"
  | "grants"
  | "rights"
  | "secretRights"
>;

/**
 * The time that the API server may take for its first answer, in milliseconds. An API server that is down
 * must not delay the other checks.
 */
const PATIENCE = 10_000;
/** The rewriter's calls for each resource. It reads an object again if another client wrote it first. */
const VERBS = ["list", "get", "patch"] as const;
/** Each of these verbs returns whole Secrets, patch too. */
const READING_VERBS = ["get", "list", "watch", "patch"] as const;

/** Looks at the API server, with the credentials of this node's operator, and of the rewriter for its rights. */
export async function gatherCluster(config: NodeConfig, signal: AbortSignal): Promise<ClusterLooks> {
  if (config.resources.kind === "manifests")
    return nothingSeen(absent("standalone: the configuration names no API server"));
  const client = new KubeClient(config.resources.path, LIKE_KUBECTL);
  const clock = await look(() => lookAtClock(client, signal));
  // If the first call gets no answer, each of the others would wait for its full timeout in vain.
  if (clock.kind !== "seen") return nothingSeen(clock);
  const [resources, leases, apiServer, kubeadm, kubernetes, grants, secretRights] = await Promise.all([
    look(() => readResources(client, signal)),
    look(() => readLeases(client, config.leaseNamespace, signal)),
    look(() => apiServerOfNode(config, client, signal)),
    lookAtKubeadm(client, signal),
    look(() => lookAtVersion(client, signal)),
    lookAtGrants(client, signal),
    look(() => allowed(client, { resource: "secrets", verbs: READING_VERBS }, signal)),
  ]);
  const rights = await lookAtRights(new RewriterIdentity(client, config), resources, signal);
  return { resources, leases, apiServer, kubeadm, clock, kubernetes, grants, rights, secretRights };
}

const nothingSeen = (look: Look<never>): ClusterLooks => ({
  resources: look,
  leases: look,
  apiServer: look,
  kubeadm: look,
  clock: look,
  kubernetes: look,
  grants: look,
  rights: look,
  secretRights: look,
});

/** An operator with the rights of an earlier release may not read it, which is no failure. */
async function lookAtKubeadm(client: KubeClient, signal: AbortSignal): Promise<Look<EncryptionFacts>> {
  try {
    const text = await readClusterConfiguration({ kube: client, signal });
    return { kind: "seen", value: factsOf(text) };
  } catch (error) {
    if (error instanceof KubeError && error.httpStatus === 403)
      return absent(`${messageOf(error)}; apply deploy/rbac.yaml of this release`);
    return error instanceof KubeError || codeOf(error) === "ApiServer"
      ? { kind: "failed", reason: messageOf(error) }
      : absent(messageOf(error));
  }
}

async function lookAtClock(client: KubeClient, signal: AbortSignal): Promise<ServerClock> {
  const asked = Date.now();
  const server = await client.serverTime(AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]));
  // The Date header has whole seconds, so it is half a second too early on average.
  return { ahead: server + 500 - (asked + Date.now()) / 2 };
}

async function readResources(client: KubeClient, signal: AbortSignal): Promise<ClusterResources> {
  const list = async (kind: Kind) => {
    const answer = await client.request({ method: "GET", path: collectionPath(kind), signal });
    return (answer as { readonly items: readonly unknown[] }).items;
  };
  const [masterKeys, keyAliases, keyServers] = await Promise.all([
    list("MasterKey"),
    list("KeyAlias"),
    list("KeyServer"),
  ]);
  // The API server validates every object against its CRD.
  return {
    masterKeys: masterKeys as readonly MasterKey[],
    keyAliases: keyAliases as readonly KeyAlias[],
    keyServers: keyServers as readonly KeyServer[],
  };
}

interface WrittenLease extends Lease {
  readonly metadata: Lease["metadata"] & { readonly managedFields?: readonly { readonly time?: string }[] };
}

async function readLeases(client: KubeClient, namespace: string, signal: AbortSignal): Promise<NodeLease[]> {
  const answer = await client.request({ method: "GET", path: leasesPath(namespace), signal });
  const { items } = answer as { readonly items: readonly WrittenLease[] };
  return items.flatMap((lease) => {
    const { metadata, spec } = lease;
    const node = nodeLeaseFrom(lease)?.node;
    const renewedAt = timeOf(spec?.renewTime ?? "");
    if (node === undefined || Number.isNaN(renewedAt)) return [];
    const times = (metadata.managedFields ?? []).map(({ time = "" }) => timeOf(time));
    const written = Math.max(...times.filter((time) => !Number.isNaN(time)));
    return [{ node, renewedAt, ...(Number.isFinite(written) && { writtenAt: written }) }];
  });
}

async function lookAtRights(
  identity: RewriterIdentity,
  resources: Look<ClusterResources>,
  signal: AbortSignal,
): Promise<Look<readonly MissingRight[]>> {
  if (resources.kind !== "seen") return resources;
  const { masterKeys, keyServers } = resources.value;
  const engines = masterKeys.map(({ spec }) => spec.reencryption?.engine ?? "Claviger");
  if (!engines.includes("Claviger")) return absent("no MasterKey has claviger's own rewriter as its engine");
  const scope = mergeScopes(
    keyServers.flatMap(({ status }) => status?.providers?.map((provider) => provider.resources ?? []) ?? []),
  );
  if (scope.length === 0) return absent("no KeyServer has said what is stored through it");
  return look(() => identity.use((client) => missingRights(client, scope, signal)));
}

/**
 * Asks for the rights on each resource that the rewriter would list. Wildcards are expanded to the resources
 * that exist.
 */
async function missingRights(
  client: KubeClient,
  scope: readonly string[],
  signal: AbortSignal,
): Promise<readonly MissingRight[]> {
  const services = { resource: "apiservices.apiregistration.k8s.io", verbs: ["list"] };
  const missing: MissingRight[] = [];
  const ask = async ({ resource, verbs }: MissingRight) => {
    const granted = await allowed(client, { resource, verbs }, signal);
    const refused = verbs.filter((verb) => !granted.includes(verb));
    if (refused.length > 0) missing.push({ resource, verbs: refused });
  };
  await ask(services);
  const patterns = scope.filter((pattern) => !pattern.startsWith("!"));
  const named = patterns.filter((pattern) => !isWildcard(pattern));
  const found =
    missing.length > 0 || named.length === patterns.length
      ? []
      : (await apiResources(client, patterns, signal))
          .filter((resource) => inScope(scope, resource))
          .map(groupResourceText);
  for (const resource of new Set([...named, ...found])) await ask({ resource, verbs: VERBS });
  return missing;
}

/** Returns those of the verbs that the client's user may use on objects of every namespace. */
async function allowed(
  client: KubeClient,
  { resource, verbs }: { readonly resource: string; readonly verbs: readonly string[] },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const granted: string[] = [];
  for (const verb of verbs) if (await mayI(client, verb, resource, signal)) granted.push(verb);
  return granted;
}

/** Sends a SelfSubjectAccessReview of authorization.k8s.io/v1 for objects of every namespace. */
async function mayI(
  client: KubeClient,
  verb: string,
  pattern: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { group, resource } = parseGroupResource(pattern);
  const answer = await client.request({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { group, resource, verb } },
    },
    signal,
  });
  return (answer as { readonly status: { readonly allowed: boolean } }).status.allowed;
}
