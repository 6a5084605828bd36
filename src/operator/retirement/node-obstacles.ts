import { firstFew } from "../../resources/first-few.ts";
import { rfc3339 } from "../../times.ts";
import type { NodeView } from "../nodes/node-view.ts";
import { differingRootKeys } from "../nodes/root-keys.ts";
import type { Obstacle } from "./usage-census.ts";

/**
 * Returns why no material may be destroyed, or its use ended, in the present state of the nodes. `undone` says
 * what does not happen.
 */
export function nodeObstacle(
  nodes: readonly NodeView[],
  undone = "nothing was destroyed",
): Obstacle | undefined {
  const obstacle = (reason: string, why: string): Obstacle => ({ reason, message: `${undone}: ${why}` });
  if (nodes.length === 0) return obstacle("NoKeyServers", "no node has reported what it serves");
  const silent = nodes.filter(({ stale }) => stale);
  if (silent.length > 0) {
    const names = silent.map(({ name, lastHeard }) => `${name} (since ${rfc3339(lastHeard)})`).join(", ");
    const remedy = "start their operators, or delete their KeyServers and Leases if the nodes are gone";
    return obstacle("NodeNotHeardOf", `what these nodes serve is not known: ${names}; ${remedy}`);
  }
  const joining = nodes.filter(({ unreported }) => unreported === true);
  if (joining.length > 0) {
    const names = joining.map(({ name }) => name).join(", ");
    return obstacle("NodeNotReady", `these nodes have not reported yet what they serve: ${names}`);
  }
  const unwell = nodes.filter(({ problem }) => problem !== undefined);
  if (unwell.length > 0) {
    const names = unwell.map(({ name, problem }) => `${name} (${problem})`).join(", ");
    return obstacle("NodeNotReady", `these nodes have a problem: ${names}`);
  }
  const differing = differingRootKeys(nodes);
  return differing === undefined ? undefined : obstacle("RootKeysDiffer", differing);
}

/**
 * Returns why no material may be destroyed, or its use ended, while these providers are not settled. A count
 * proves nothing about later writes of an API server.
 */
export function unsettledObstacle(
  unsettled: readonly string[],
  undone = "nothing was destroyed",
): Obstacle | undefined {
  if (unsettled.length === 0) return undefined;
  const message = `${undone}: an API server may still write under a key that it used before, through ${firstFew(unsettled, 5)}: this passes four minutes after that API server was last started or took up its file, with claviger's plugin and operator running on the node`;
  return { reason: "NotSettled", message };
}
