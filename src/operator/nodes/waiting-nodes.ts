import { nodeLeaseName } from "../../store/nodes/node-leases.ts";
import { rfc3339 } from "../../times.ts";
import type { NodeView } from "./node-view.ts";

/** Why nodes are waited for: WaitingForNodes passes by itself; the others need somebody. */
export function waitReason(lacking: readonly NodeView[]): string {
  if (lacking.some((node) => node.stale)) return "NodeNotHeardOf";
  return lacking.some((node) => node.problem !== undefined) ? "NodeNotReady" : "WaitingForNodes";
}

/** What is known of a node by its name; both are to be deleted if the node is gone. */
export const recordsOf = ({ name }: Pick<NodeView, "name">): string =>
  `KeyServer ${name} and Lease ${nodeLeaseName(name)}`;

const UNREPORTED = "its operator has not reported yet what it serves: see its log if that stays so";

/** A node that is waited for, with what is wrong there and what to do. */
export function describeNode(node: NodeView): string {
  if (node.stale) {
    return `${node.name} (its operator has not been heard of since ${rfc3339(node.lastHeard)}: start it or its API server, or delete ${recordsOf(node)} if the node is gone)`;
  }
  if (node.problem !== undefined) return `${node.name} (${node.problem})`;
  return node.unreported === true ? `${node.name} (${UNREPORTED})` : node.name;
}
