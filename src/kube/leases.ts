import type { KubeClient } from "./client.ts";
import { KubeError } from "./kube-error.ts";
import { leasesPath } from "./paths.ts";

/** The fields of a coordination.k8s.io/v1 Lease that are used here. */
export interface Lease {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly creationTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: LeaseSpec;
}

export interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

/** A Lease, and the labels and annotations that each write sets. Its other labels and annotations stay. */
export interface LeaseRef {
  readonly namespace: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Reads a Lease; undefined if there is none. */
export async function readLease(
  client: KubeClient,
  ref: LeaseRef,
  signal: AbortSignal,
): Promise<Lease | undefined> {
  try {
    const path = `${leasesPath(ref.namespace)}/${ref.name}`;
    return (await client.request({ method: "GET", path, signal })) as Lease;
  } catch (error) {
    if (error instanceof KubeError && error.httpStatus === 404) return undefined;
    throw error;
  }
}

/** Creates or replaces a Lease. Throws Conflict if another client wrote it since `before` was read. */
export async function writeLease(
  client: KubeClient,
  ref: LeaseRef,
  before: Lease | undefined,
  spec: LeaseSpec,
  signal: AbortSignal,
): Promise<Lease> {
  const object = {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: {
      ...(before?.metadata ?? { namespace: ref.namespace, name: ref.name }),
      // If somebody removed a label, lists by that label would not show the Lease, so it is set again.
      labels: { ...before?.metadata.labels, ...ref.labels },
      annotations: { ...before?.metadata.annotations, ...ref.annotations },
    },
    spec,
  };
  const path = leasesPath(ref.namespace);
  const call =
    before === undefined
      ? { method: "POST" as const, path, body: object, signal }
      : { method: "PUT" as const, path: `${path}/${ref.name}`, body: object, signal };
  return (await client.request(call)) as Lease;
}

/**
 * Deletes a Lease as it was read. Throws Conflict if it was renewed since. A Lease that is already gone is no
 * failure.
 */
export async function deleteLease(
  client: KubeClient,
  { metadata }: Lease,
  signal: AbortSignal,
): Promise<void> {
  const { name, namespace = "", uid, resourceVersion } = metadata;
  const body = { preconditions: { uid, resourceVersion } };
  try {
    await client.request({ method: "DELETE", path: `${leasesPath(namespace)}/${name}`, body, signal });
  } catch (error) {
    if (!(error instanceof KubeError && error.httpStatus === 404)) throw error;
  }
}

/** Formats Kubernetes' MicroTime. */
export const microTime = (milliseconds: number): string =>
  new Date(milliseconds).toISOString().replace("Z", "000Z");
