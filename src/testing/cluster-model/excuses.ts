import { SILENCE_MILLISECONDS } from "../../api-server-times.ts";
import type { ModelNode } from "./model-node.ts";
import type { World } from "./world.ts";

/**
 * Nobody can know what the node's API server does until its operator has reported it, and a leader has
 * looked.
 */
export function excuse(world: World, node: ModelNode): void {
  // An API server that does not report its file is noticed by its silence.
  const from = world.now + (node.tells ? 0 : SILENCE_MILLISECONDS);
  node.excuse = { from, reported: false };
}

export function endExcuse(world: World, node: ModelNode): void {
  node.excuse = undefined;
  node.lies = false;
  for (const [object, name] of world.excused) if (name === node.name) world.excused.delete(object);
}

export function stored(world: World, object: string, node: ModelNode): void {
  if (node.excuse === undefined) world.excused.delete(object);
  else world.excused.set(object, node.name);
}
