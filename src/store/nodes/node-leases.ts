import type { NodeConfig } from "../../config/config.ts";
import type { Lease, LeaseRef } from "../../kube/leases.ts";

export const NODE_LABEL = "kms.claviger.dev/node";
/** The uid of the node's Node object when the operator last renewed; empty if it had none. */
const NODE_UID = "kms.claviger.dev/node-uid";
/** The Lease of the leading operator. */
export const LEADER_LEASE = "claviger-operator";
const PREFIX = "claviger-node-";

/** Returns the name of the Lease of a node. */
export const nodeLeaseName = (node: string): string => `${PREFIX}${node}`;

/** Returns the Lease that a node's operator renews. */
export const nodeLeaseOf = ({ nodeName, leaseNamespace }: NodeConfig): LeaseRef => ({
  namespace: leaseNamespace,
  name: nodeLeaseName(nodeName),
});

/**
 * Returns the same with the metadata that the operator writes. `nodeUid` is undefined before the node has
 * looked for its Node.
 */
export const markedNodeLease = (config: NodeConfig, nodeUid: string | undefined): LeaseRef => ({
  ...nodeLeaseOf(config),
  labels: { [NODE_LABEL]: config.nodeName },
  ...(nodeUid !== undefined && { annotations: { [NODE_UID]: nodeUid } }),
});

/** The Lease of a node, as a record that the node exists. */
export interface NodeLease {
  readonly node: string;
  /** The uid of the node's Node object, empty if it had none; absent if an operator of an earlier release wrote the Lease. */
  readonly nodeUid?: string;
  readonly lease: Lease;
}

/**
 * Reads the record of a node from its Lease. Returns undefined if the Lease's name and label do not name the
 * same node: its own operator never wrote such a Lease.
 */
export function nodeLeaseFrom(lease: Lease): NodeLease | undefined {
  const { name, labels, annotations } = lease.metadata;
  const node = labels?.[NODE_LABEL];
  if (node === undefined || name !== nodeLeaseName(node)) return undefined;
  const nodeUid = annotations?.[NODE_UID];
  return { node, lease, ...(nodeUid !== undefined && { nodeUid }) };
}

/**
 * A node's operator renews its Lease every 10 s, and without a renewal for this long it is silent (the
 * kubelet's figures).
 */
export const NODE_LEASE_SECONDS = 40;
