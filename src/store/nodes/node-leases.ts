import type { NodeConfig } from "../../config/config.ts";
import type { Lease, LeaseRef } from "../../kube/leases.ts";

export const NODE_LABEL = "kms.claviger.dev/node";
/** The uid of the Node object that the operator's node had when it last renewed; empty if it had none. */
const NODE_UID = "kms.claviger.dev/node-uid";
/** The Lease of the operator that leads. */
export const LEADER_LEASE = "claviger-operator";
const PREFIX = "claviger-node-";

/** The name of the Lease of a node. */
export const nodeLeaseName = (node: string): string => `${PREFIX}${node}`;

/** The Lease that a node's operator renews. */
export const nodeLeaseOf = ({ nodeName, leaseNamespace }: NodeConfig): LeaseRef => ({
  namespace: leaseNamespace,
  name: nodeLeaseName(nodeName),
});

/** The same with what the operator writes into its metadata. `nodeUid` is undefined before the node has looked for its Node. */
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
 * Reads the record of a node from its Lease. Returns undefined if the Lease's name and label do not
 * name the same node: such a Lease would say of a node what its own operator never said.
 */
export function nodeLeaseFrom(lease: Lease): NodeLease | undefined {
  const { name, labels, annotations } = lease.metadata;
  const node = labels?.[NODE_LABEL];
  if (node === undefined || name !== nodeLeaseName(node)) return undefined;
  const nodeUid = annotations?.[NODE_UID];
  return { node, lease, ...(nodeUid !== undefined && { nodeUid }) };
}

/** A node's operator renews its Lease every 10 s; this long without is "not heard of" (the kubelet's figures). */
export const NODE_LEASE_SECONDS = 40;
