import type { NodeConfig } from "../../config/config.ts";
import { KubeClient, LIKE_KUBECTL } from "../../kube/client.ts";
import { readLease } from "../../kube/leases.ts";
import { mustBeEtcdOf } from "../../storage/etcd/etcd-identity.ts";
import { openEtcd } from "../../storage/etcd/open-etcd.ts";
import { nodeLeaseOf } from "../../store/nodes/node-leases.ts";

/** The time that the API server may take for its first answer, in milliseconds. */
const PATIENCE = 10_000;

/**
 * Rejects with Etcd if this node's Lease shows that its etcd is not the etcd in which its API server stores.
 * Does nothing if there is no Lease to compare: standalone, with the API server down, and before this node's
 * operator was started for the first time.
 */
export async function mustBeOwnEtcd(config: NodeConfig, signal: AbortSignal): Promise<void> {
  if (config.etcd === undefined || config.resources.kind === "manifests") return;
  const client = new KubeClient(config.resources.path, LIKE_KUBECTL);
  const ref = nodeLeaseOf(config);
  const resourceVersion = async (within: AbortSignal) =>
    (await readLease(client, ref, within))?.metadata.resourceVersion;
  const first = resourceVersion(AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]));
  if ((await first.catch(() => undefined)) === undefined) return;
  const etcd = await openEtcd(config.etcd);
  try {
    const witness = { path: `leases/${ref.namespace}/${ref.name}`, read: () => resourceVersion(signal) };
    await mustBeEtcdOf(witness, { etcd, prefix: config.etcd.prefix, signal });
  } finally {
    etcd.close();
  }
}
