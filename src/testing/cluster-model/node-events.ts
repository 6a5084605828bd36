import { excuse } from "./excuses.ts";
import type { FileName } from "./files.ts";
import type { ModelNode } from "./model-node.ts";
import type { World } from "./world.ts";

export function restartApiServer(world: World, node: ModelNode, file: FileName | undefined): void {
  const same = node.apiServer.file === file;
  node.apiServer.restart(file, world.now);
  if (!same) excuse(world, node);
}

/**
 * Without the API server's own report an Encrypt is all that is known, and it may belong to a file that the
 * API server only tried.
 */
export function edit(world: World, node: ModelNode, file: FileName): void {
  if (!node.tells) return;
  node.file = file;
  node.editedAt = world.now;
}

export function probe(world: World, node: ModelNode): void {
  if (!node.tells) return;
  for (const socket of node.sockets) socket.probed();
  node.apiServer.probe(node.file, world.now);
}

export function reload(world: World, node: ModelNode): void {
  if (node.apiServer.file === node.file || node.apiServer.file === undefined) return;
  if (node.apiServer.reload(node.file, world.now)) excuse(world, node);
  else for (const socket of node.sockets) socket.probed();
}

export function comeBackFromImage(world: World, node: ModelNode): void {
  const stored = new Set(world.etcd.versions.map(({ spec }) => spec.versionId));
  const held = world.nodes.flatMap(({ keyring }) => [...keyring.versions.keys()]);
  // Objects that etcd has lost could be lost with this disk.
  if (!held.every((id) => stored.has(id)) || world.etcd.alias === undefined) return;
  if (node.comeBackFromImage(world.now)) excuse(world, node);
}

export function lie(world: World, node: ModelNode, lies: boolean): void {
  if (!lies && !node.isLying) return;
  node.isLying = lies;
  node.lies = true;
  node.hasLied = true;
  excuse(world, node);
}

/** The repair that somebody makes in the end: the node runs, with the file that all nodes have. */
export function mend(world: World, node: ModelNode): void {
  hear(world, node);
  lie(world, node, false);
  edit(world, node, "all");
  if (node.apiServer.file !== "all") restartApiServer(world, node, "all");
}

export function hear(world: World, node: ModelNode): void {
  node.cutOff = false;
  if (!node.silent && !node.unknown) node.heard = world.now;
}
