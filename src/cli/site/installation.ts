import type { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/kube-error.ts";
import type { Lease } from "../../kube/leases.ts";
import { collectionPath, leasesPath } from "../../kube/paths.ts";
import { resources } from "../../resources/definitions.ts";
import {
  GROUP,
  type KeyAlias,
  type KeyServer,
  type Kind,
  type MasterKey,
} from "../../resources/resources.ts";
import { nodeLeaseFrom } from "../../store/nodes/node-leases.ts";
import { timeOf } from "../../times.ts";

/** The namespace in deploy/rbac.yaml. */
export const NAMESPACE = "claviger-system";
const RBAC = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
const ADMISSION = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
const MUTATING = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies";
const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/** The parts of claviger that exist in a cluster. */
export interface Installation {
  readonly masterKeys: readonly MasterKey[];
  readonly keyAliases: readonly KeyAlias[];
  readonly keyServers: readonly KeyServer[];
  readonly keyVersions: number;
  /** The Leases of nodes, with the time of their last renewal in epoch milliseconds. */
  readonly leases: readonly { readonly node: string; readonly renewedAt: number }[];
  readonly crds: readonly { readonly name: string; readonly leaving: boolean }[];
  readonly namespace: "there" | "leaving" | "gone";
  /** ClusterRoles and admission policies. */
  readonly rights: readonly string[];
  readonly policies: readonly string[];
  /** The policies of deploy/pod-environment.yaml. */
  readonly podPolicies: readonly string[];
}

interface Metadata {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
}

/** Reads all parts of claviger in a cluster. Throws if the API server refuses or does not answer. */
export async function lookAtInstallation(client: KubeClient, signal: AbortSignal): Promise<Installation> {
  const list = (path: string) => itemsOf(client, path, signal);
  const kind = (name: Kind) => list(collectionPath(name));
  const [masterKeys, keyAliases, keyServers, keyVersions] = await Promise.all([
    kind("MasterKey"),
    kind("KeyAlias"),
    kind("KeyServer"),
    kind("KeyVersion"),
  ]);
  const crds = await Promise.all(
    Object.values(resources).map(({ plural }) => one(client, `${CRDS}/${plural}.${GROUP}`, signal)),
  );
  const [namespace, leases, roles, policies, podPolicies] = await Promise.all([
    one(client, `/api/v1/namespaces/${NAMESPACE}`, signal),
    list(leasesPath(NAMESPACE)),
    list(RBAC),
    list(ADMISSION),
    list(MUTATING),
  ]);
  return {
    // The API server validates every object against its CRD.
    masterKeys: masterKeys as readonly MasterKey[],
    keyAliases: keyAliases as readonly KeyAlias[],
    keyServers: keyServers as readonly KeyServer[],
    keyVersions: keyVersions.length,
    leases: (leases as readonly Lease[]).flatMap(leaseOf),
    crds: crds
      .flatMap((crd) => crd ?? [])
      .map(({ metadata }) => ({ name: metadata.name, leaving: isLeaving({ metadata }) })),
    namespace: namespace === undefined ? "gone" : isLeaving(namespace) ? "leaving" : "there",
    rights: namesOf(roles, (name) => /^claviger-/.test(name)),
    policies: namesOf(policies, (name) => name.endsWith(`.${GROUP}`)),
    podPolicies: namesOf(podPolicies, (name) => name.endsWith(`.${GROUP}`)),
  };
}

const isLeaving = ({ metadata }: Metadata): boolean => metadata.deletionTimestamp !== undefined;

const namesOf = (items: readonly unknown[], isOurs: (name: string) => boolean): string[] =>
  (items as readonly Metadata[]).map(({ metadata }) => metadata.name).filter(isOurs);

function leaseOf(lease: Lease): { node: string; renewedAt: number }[] {
  const record = nodeLeaseFrom(lease);
  return record === undefined ? [] : [{ node: record.node, renewedAt: timeOf(lease.spec?.renewTime ?? "") }];
}

/**
 * Returns all objects of a collection, page by page, or none if the API server does not have the collection.
 */
async function itemsOf(client: KubeClient, path: string, signal: AbortSignal): Promise<readonly unknown[]> {
  const items: unknown[] = [];
  let token: string | undefined = "";
  while (token !== undefined) {
    const query = { limit: "500", ...(token !== "" && { continue: token }) };
    const page = (await orNothing(client.request({ method: "GET", path, query, signal }))) as
      | { readonly items: readonly unknown[]; readonly metadata: { readonly continue?: string } }
      | undefined;
    items.push(...(page?.items ?? []));
    token = page?.metadata.continue || undefined;
  }
  return items;
}

const one = async (client: KubeClient, path: string, signal: AbortSignal): Promise<Metadata | undefined> =>
  (await orNothing(client.request({ method: "GET", path, signal }))) as Metadata | undefined;

async function orNothing(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof KubeError && error.httpStatus === 404) return undefined;
    throw error;
  }
}
