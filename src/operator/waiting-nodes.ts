import { rfc3339 } from "../times.ts";
import type { NodeView } from "./decide-master-key.ts";

/** Why nodes are waited for: WaitingForNodes passes by itself; the others need somebody. */
export function waitReason(lacking: readonly NodeView[]): string {
  if (lacking.some((node) => node.stale)) return "NodeNotHeardOf";
  return lacking.some((node) => node.problem !== undefined) ? "NodeNotReady" : "WaitingForNodes";
}

/** A node that is waited for, with what is wrong there and what to do. */
export function describeNode(node: NodeView): string {
  if (node.stale) {
    return `${node.name} (its operator has not been heard of since ${rfc3339(node.lastHeard)}: start it or its API server, or delete KeyServer ${node.name} if the node is gone)`;
  }
  return node.problem === undefined ? node.name : `${node.name} (${node.problem})`;
}
