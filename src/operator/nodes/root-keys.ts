import type { NodeView } from "./node-view.ts";

/**
 * Returns why no new version may be sealed, if nodes have different root keys. Every node must be able to
 * open what another node seals, and the leader may be the node with the wrong root key.
 */
export function differingRootKeys(
  nodes: readonly Pick<NodeView, "name" | "rootKeyId">[],
): string | undefined {
  const sealing = nodes.filter((node) => node.rootKeyId !== undefined);
  if (new Set(sealing.map((node) => node.rootKeyId)).size <= 1) return undefined;
  const held = sealing.map((node) => `${node.name} has ${node.rootKeyId}`).join(", ");
  return `no version is made while the nodes have different root keys (${held}): give every node the same one`;
}
