import type { NodeView } from "./node-view.ts";

/**
 * Why no new version may be sealed, if nodes have different root keys: what one
 * node seals, every node must be able to open, and whoever leads may be the one
 * with the wrong root key.
 */
export function differingRootKeys(
  nodes: readonly Pick<NodeView, "name" | "rootKeyId">[],
): string | undefined {
  const sealing = nodes.filter((node) => node.rootKeyId !== undefined);
  if (new Set(sealing.map((node) => node.rootKeyId)).size <= 1) return undefined;
  const held = sealing.map((node) => `${node.name} has ${node.rootKeyId}`).join(", ");
  return `no version is made while the nodes have different root keys (${held}): give every node the same one`;
}
