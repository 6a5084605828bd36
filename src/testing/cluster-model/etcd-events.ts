import { keyAlias } from "../objects.ts";
import { freshMasterKey, KEY_NAMES, masterKeyOf, withMasterKey } from "./etcd.ts";
import { excuse } from "./excuses.ts";
import type { World } from "./world.ts";

export function deleteReport(world: World, name: string): void {
  const reports = world.etcd.reports.filter(({ metadata }) => metadata.name !== name);
  world.etcd = { ...world.etcd, reports };
}

export function rotate(world: World, name: string): void {
  world.tokens += 1;
  respec(world, name, (spec) => ({
    ...spec,
    ...(spec.rotation && { rotation: { ...spec.rotation, requestToken: `token-${world.tokens}` } }),
  }));
}

export function enable(world: World, name: string, enabled: boolean): void {
  respec(world, name, (spec) => ({ ...spec, enabled }));
}

export function setDeletion(world: World, name: string, asked: boolean): void {
  respec(world, name, ({ deletion: _, ...spec }) => ({
    ...spec,
    ...(asked && { deletion: { pendingWindowInDays: 7, withoutCensus: true } }),
  }));
}

export function respec(
  world: World,
  name: string,
  change: (spec: ReturnType<typeof freshMasterKey>["spec"]) => typeof spec,
): void {
  const key = masterKeyOf(world.etcd, name);
  const metadata = { ...key.metadata, generation: key.metadata.generation + 1 };
  world.etcd = withMasterKey(world.etcd, { ...key, metadata, spec: change(key.spec) });
}

export function recreate(world: World, name: string): void {
  const { spec } = masterKeyOf(world.etcd, name);
  world.etcd = withMasterKey(world.etcd, { ...freshMasterKey(name), spec });
}

export function retarget(world: World, masterKey: string): void {
  const { alias } = world.etcd;
  const spec = { masterKey };
  world.etcd = { ...world.etcd, alias: alias === undefined ? keyAlias({ spec }) : { ...alias, spec } };
}

/** API servers are stopped for a restore, so that the leader's work in progress ends in errors. */
export function restore(world: World): void {
  if (mayBeLost(world)) return;
  world.etcd = { ...world.backup };
  forgetDestructions(world);
  world.leader.forget();
  for (const node of world.nodes) {
    world.outdated.add(node.name);
    // Its report about its API server is in etcd as it was at the backup.
    excuse(world, node);
  }
  for (const name of KEY_NAMES) world.outdated.add(name);
}

/**
 * Returns true if a node's disk was restored, so that a version may be in etcd alone: nobody promised to
 * survive both.
 */
export function mayBeLost(world: World): boolean {
  return world.nodes.some(({ behind }) => behind);
}

/** A destruction that etcd has lost and no node knows of did not happen. */
export function forgetDestructions(world: World): void {
  for (const id of world.destroyed) {
    if (!world.nodes.some(({ keyring }) => keyring.tombstones.has(id))) world.destroyed.delete(id);
  }
}
