import { nodeLeaseName } from "../../store/nodes/node-leases.ts";
import { rfc3339 } from "../../times.ts";
import type { NodeView } from "./node-view.ts";

/**
 * Returns the reason for waiting for nodes: WaitingForNodes passes by itself; the other reasons need
 * somebody.
 */
export function waitReason(lacking: readonly NodeView[]): string {
  if (lacking.some((node) => node.stale)) return "NodeNotHeardOf";
  return lacking.some((node) => node.problem !== undefined) ? "NodeNotReady" : "WaitingForNodes";
}

/** Names the records of a node. Both must be deleted if the node is gone. */
export const recordsOf = ({ name }: Pick<NodeView, "name">): string =>
  `KeyServer ${name} and Lease ${nodeLeaseName(name)}`;

const UNREPORTED = "its operator has not reported yet what it serves: see its log if that stays so";

/** Describes a node that is waited for, with its problem and what to do. */
export function describeNode(node: NodeView): string {
  if (node.stale) {
    return `${node.name} (its operator has not been heard of since ${rfc3339(node.lastHeard)}: start it or its API server, or delete ${recordsOf(node)} if the node is gone)`;
  }
  if (node.problem !== undefined) return `${node.name} (${node.problem})`;
  return node.unreported === true ? `${node.name} (${UNREPORTED})` : node.name;
}
