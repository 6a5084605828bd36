import type { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/kube-error.ts";
import type { Log } from "../../log.ts";
import { FINALIZER } from "../../resources/finalizer.ts";
import type { MasterKey } from "../../resources/resources.ts";

/** The state of the namespace of the Leases. `unknown`: this operator may not read it. */
export type NamespaceState = "there" | "terminating" | "gone" | "unknown";

/** Reads a namespace's state. Throws if the API server does not answer. */
export async function namespaceState(
  client: KubeClient,
  name: string,
  signal: AbortSignal,
): Promise<NamespaceState> {
  try {
    const found = await client.request({ method: "GET", path: `/api/v1/namespaces/${name}`, signal });
    const { metadata } = found as { readonly metadata: { readonly deletionTimestamp?: string } };
    return metadata.deletionTimestamp === undefined ? "there" : "terminating";
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    if (error.httpStatus === 404) return "gone";
    if (error.httpStatus === 403) return "unknown";
    throw error;
  }
}

const REMEDIES: Readonly<Record<NamespaceState, string>> = {
  terminating:
    "is being deleted: once it is gone, apply deploy/rbac.yaml, your MasterKeys and KeyAliases again",
  gone: "does not exist: apply deploy/rbac.yaml, and your MasterKeys and KeyAliases of that namespace again",
  there: "is there: apply deploy/rbac.yaml again, which has Role and RoleBinding claviger-leases",
  unknown: "or its Role and RoleBinding claviger-leases are missing: apply deploy/rbac.yaml again",
};

/** Creates the namespace of the Leases. Returns true if it was created now, by this operator or another. */
export async function createHomeNamespace(
  client: KubeClient,
  name: string,
  log: Log,
  signal: AbortSignal,
): Promise<boolean> {
  const body = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
  try {
    await client.request({ method: "POST", path: "/api/v1/namespaces", body, signal });
    log("info", `namespace ${name} was made for claviger's Leases`);
    return true;
  } catch (cause) {
    // Another node's operator was faster.
    return cause instanceof KubeError && cause.httpStatus === 409;
  }
}

/** Says why no operator can lead, in a text that stays the same while the reason does. */
export const leaseFault = (namespace: string, state: NamespaceState, why: string): string =>
  `the Leases of Namespace ${namespace} cannot be used, so that no operator leads and nothing is decided (${why}); the Namespace ${REMEDIES[state]}; plugins continue to serve`;

/** Returns true if the API server refused a Lease, or the namespace that it belongs to. */
export const isLeaseRefused = (error: unknown): error is KubeError =>
  error instanceof KubeError && (error.httpStatus === 403 || error.httpStatus === 404);

/**
 * Returns the MasterKeys that keep the namespace of the Leases from ending. Only a leader can find that they
 * are no longer in use, and none can lead there, so both would wait for ever. Removing their finalizers
 * destroys nothing, because KeyVersions belong to no namespace.
 */
export const heldByNobody = (keys: readonly MasterKey[], namespace: string): MasterKey[] =>
  keys.filter(
    ({ metadata }) =>
      metadata.namespace === namespace &&
      metadata.deletionTimestamp !== undefined &&
      metadata.finalizers?.includes(FINALIZER) === true,
  );
