import { recordsOf } from "../../operator/nodes/waiting-nodes.ts";
import { isNeeded } from "../../operator/retirement/usage.ts";
import { conditionOf } from "../../resources/conditions.ts";
import { resources } from "../../resources/definitions.ts";
import { firstFew } from "../../resources/first-few.ts";
import { objectText } from "../../resources/object-text.ts";
import { GROUP, type KeyServer, type MasterKey } from "../../resources/resources.ts";
import { type Installation, NAMESPACE } from "./installation.ts";

/** An operator is running on a node if its Lease was renewed within this time. */
const ALIVE_MILLISECONDS = 60_000;
const KEY_SERVERS = `${resources.KeyServer.plural}.${GROUP}`;
/** The number of objects of a kind that are listed by name. */
const NAMED = 10;

/**
 * The objects that are left, in the order in which to delete them, and the commands that delete the first of
 * them.
 */
export interface UninstallPlan {
  readonly left: readonly string[];
  readonly next: readonly string[];
}

interface Stage {
  readonly left: readonly string[];
  readonly next: readonly string[];
}

/**
 * Decides which parts of claviger are left to delete. A stage begins when the stage before it has nothing
 * left, because it needs what the later stages delete.
 */
export function decideUninstall(installation: Installation, now: Date): UninstallPlan {
  const stages = [apiServers, keys, operators, definitions, rights].map((stage) => stage(installation, now));
  return {
    left: stages.flatMap(({ left }) => left),
    next: stages.find(({ left }) => left.length > 0)?.next ?? [
      "keep root.key and a backup of one keyring for as long as there are backups of etcd from before",
    ],
  };
}

export function uninstallText({ left, next }: UninstallPlan): string {
  const list = (title: string, lines: readonly string[]) =>
    `${title}\n${lines.map((line) => `  ${line}\n`).join("")}`;
  return left.length === 0
    ? `nothing of claviger is left in this cluster\n\n${list("Next:", next)}`
    : `${list("Left:", left)}\n${list("Next:", next)}`;
}

/**
 * API servers that may still write or read through claviger. Nothing else may be deleted until they have
 * stopped.
 */
function apiServers({ keyServers, leases, crds }: Installation, now: Date): Stage {
  const used = keyServers.flatMap((server) =>
    usedProviders(server, isAlive(leases, server.metadata.name, now)),
  );
  const unknown = leases
    .filter(({ node }) => !keyServers.some(({ metadata }) => metadata.name === node))
    .map(({ node }) => `node ${node}, which has a Lease and has not reported what its API server uses`);
  // This holds without MasterKeys too, because plugins continue to serve from their keyrings. Without the CRD
  // of KeyServers no node can report.
  const reports = crds.some(({ name, leaving }) => name === KEY_SERVERS && !leaving);
  return {
    left: [...used, ...(reports ? unknown : [])],
    next: [
      "docs/operations/move.md: move out, until claviger census counts nothing under claviger's providers",
      "take claviger's kms entries out of every EncryptionConfiguration and restart the API servers; then wait four minutes, with claviger running",
      ...silentNodes(keyServers, leases, now),
    ],
  };
}

function usedProviders({ metadata, status }: KeyServer, alive: boolean): string[] {
  const word = alive ? "" : ", by the last word of an operator that does not run";
  if (status?.providers === undefined)
    return [`KeyServer ${metadata.name}, which does not say what its API server uses`];
  return status.providers.filter(isNeeded).map(({ name, entries, notAskedSince }) => {
    const has = entries === undefined ? "an unknown number of entries" : `${entries} entries`;
    const asks = notAskedSince === undefined ? "and asks it" : `and has not asked it since ${notAskedSince}`;
    return `provider ${name} of node ${metadata.name}: its API server has ${has} on it ${asks}${word}`;
  });
}

const silentNodes = (keyServers: readonly KeyServer[], leases: Installation["leases"], now: Date): string[] =>
  keyServers
    .filter(({ metadata }) => !isAlive(leases, metadata.name, now))
    .map(
      ({ metadata }) =>
        `start claviger on ${metadata.name}; if the node is gone, delete ${recordsOf(metadata)}`,
    );

function isAlive(leases: Installation["leases"], name: string, now: Date): boolean {
  const lease = leases.find(({ node }) => node === name);
  return lease !== undefined && Math.abs(now.getTime() - lease.renewedAt) <= ALIVE_MILLISECONDS;
}

function keys({ masterKeys, keyAliases, leases }: Installation, now: Date): Stage {
  const held = masterKeys.filter(({ metadata }) => metadata.deletionTimestamp !== undefined).map(heldText);
  const alive = leases.some(({ node }) => isAlive(leases, node, now));
  return {
    left: [
      ...named("KeyAliases", keyAliases.map(objectText)),
      ...named("MasterKeys", masterKeys.map(objectText)),
      ...held,
    ],
    next: [
      "claviger backup --config /etc/claviger/claviger.yaml --out FILE    # on one node",
      ...(alive ? [] : ["start claviger on one node: without an operator nobody lets a MasterKey go"]),
      "kubectl delete keyaliases --all --all-namespaces",
      "kubectl wait --for=condition=InUse=False masterkeys --all --all-namespaces",
      "kubectl delete masterkeys --all --all-namespaces",
    ],
  };
}

function heldText(key: MasterKey): string {
  const blocked = conditionOf(key.status?.conditions, "DeletionBlocked");
  const why = blocked?.status === "True" ? blocked.message : "it waits for the operator that leads";
  return `MasterKey ${objectText(key)} is being deleted: ${why}`;
}

function operators({ leases }: Installation, now: Date): Stage {
  const alive = leases.filter(({ node }) => isAlive(leases, node, now));
  return {
    left: named(
      "operators that run, on nodes",
      alive.map(({ node }) => node),
    ),
    next: ["stop claviger on these nodes, plugin, operator and API: static pod, unit or process"],
  };
}

function definitions({ crds, keyVersions, keyServers, masterKeys }: Installation): Stage {
  const left = crds.map(({ name, leaving }) =>
    leaving ? `CustomResourceDefinition ${name}, which is being deleted` : `CustomResourceDefinition ${name}`,
  );
  const stuck = crds.some(({ leaving }) => leaving) && masterKeys.length > 0;
  const objects = keyVersions + keyServers.length;
  return {
    left: [
      ...left,
      ...(objects > 0
        ? [`${keyVersions} KeyVersions and ${keyServers.length} KeyServers, which go with them`]
        : []),
    ],
    next: [
      "kubectl delete -f crds",
      ...(stuck
        ? ["docs/operations/backup-restore.md: its deletion waits for MasterKeys; make a backup first"]
        : []),
    ],
  };
}

function rights({ namespace, rights: roles, policies, podPolicies }: Installation): Stage {
  const left = [
    ...named("ClusterRoles", roles),
    ...named("ValidatingAdmissionPolicies", policies),
    ...named("MutatingAdmissionPolicies", podPolicies),
    ...(namespace === "gone"
      ? []
      : [`Namespace ${NAMESPACE}${namespace === "leaving" ? ", which is being deleted" : ""}`]),
  ];
  return {
    left,
    next: [
      ...(namespace === "there"
        ? [`kubectl annotate namespace ${NAMESPACE} kms.claviger.dev/allow-deletion=yes --overwrite`]
        : []),
      // An API server older than 1.36 does not know the kind.
      ...(podPolicies.length > 0 ? ["kubectl delete -f deploy/pod-environment.yaml"] : []),
      "kubectl delete --ignore-not-found -f deploy/api.yaml -f deploy/rewriter.yaml -f deploy/storage-version-migration.yaml -f deploy/rbac.yaml -f deploy/admission.yaml",
      "# or, if Helm brought them: helm uninstall claviger --namespace claviger-system, then kubectl delete namespace claviger-system",
    ],
  };
}

const named = (what: string, names: readonly string[]): string[] =>
  names.length === 0 ? [] : [`${names.length} ${what}: ${firstFew([...names].sort(), NAMED)}`];
