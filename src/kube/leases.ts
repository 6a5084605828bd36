import type { KubeClient } from "./client.ts";
import { KubeError } from "./kube-error.ts";
import { leasesPath } from "./paths.ts";

/** coordination.k8s.io/v1 Lease, as far as it is used. */
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

/** Which Lease, and the labels and annotations that each write sets; others on it stay. */
export interface LeaseRef {
  readonly namespace: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Reads a Lease, or undefined. */
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

/** Makes or replaces a Lease. Throws Conflict where somebody else wrote it since `before` was read. */
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
      // A label that somebody took away would hide the Lease from those who list by it.
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

/** Deletes a Lease as it was read: throws Conflict if it was renewed since. One that is gone already is no failure. */
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

/** Kubernetes' MicroTime. */
export const microTime = (milliseconds: number): string =>
  new Date(milliseconds).toISOString().replace("Z", "000Z");
