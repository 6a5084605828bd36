import type { MasterKey } from "../../resources/resources.ts";
import { withObject } from "./etcd.ts";
import type { Event } from "./events.ts";
import { endExcuse, stored } from "./excuses.ts";
import { RESOURCES } from "./files.ts";
import type { ModelNode } from "./model-node.ts";
import { objectName, type World } from "./world.ts";

/** Objects per minute, so few that a round takes two minutes. */
const HALF = 5;
/** How soon a stalled watch is started again. */
const STALL_MILLISECONDS = 180_000;

/**
 * After a restore, the first status that was decided on new reports counts, which a stalled watch does not
 * show.
 */
export function lead(world: World): void {
  const informed = world.nodes.every(({ name }) => !world.outdated.has(name));
  const before = world.etcd.alias?.status?.masterKey;
  const keys = world.etcd.masterKeys;
  const { frozen } = world.leader;
  world.etcd = world.leader.lead(world.etcd, new Date(world.now));
  if (world.nodes.every(({ silent }) => silent)) return;
  if (informed && frozen === undefined) world.outdated.clear();
  const stands = world.moved && frozen !== undefined;
  world.moved = stands || world.etcd.alias?.status?.masterKey !== before;
  if (!world.moved) checkCompleted(world, keys);
  const reported = frozen === undefined ? world.nodes.filter(({ excuse }) => excuse?.reported) : [];
  for (const node of reported) endExcuse(world, node);
  // Drops the leader's open plan: a process looks at a key again only after it has carried out its plan.
  if (reported.length > 0) world.leader.dropThought();
}

/** A new claim was decided on KeyServers read past the cache. */
export function checkCompleted(world: World, before: readonly MasterKey[]): void {
  const unreported = new Set(
    world.nodes.filter(({ excuse }) => excuse?.reported === false).map(({ name }) => name),
  );
  const excused = new Set(
    [...world.excused].flatMap(([object, name]) => (unreported.has(name) ? [object] : [])),
  );
  for (const key of world.etcd.masterKeys) {
    const was = before.find(({ metadata }) => metadata.name === key.metadata.name)?.status?.reencryption
      ?.phase;
    const isNew = was !== "Complete" && key.status?.reencryption?.phase === "Complete";
    if (isNew && !world.outdated.has(key.metadata.name))
      world.promises.checkCompleted(world.etcd, key, excused, world.now);
  }
}

export function sync(world: World, node: ModelNode, toTheEnd: boolean, late = false): void {
  const wasUnknown = node.unknown;
  world.etcd = node.sync(world.etcd, new Date(world.now), toTheEnd, late);
  if (node.silent || !toTheEnd) return;
  world.outdated.delete(node.name);
  if (wasUnknown) node.heard = world.now;
  const { excuse } = node;
  if (excuse !== undefined && excuse.from <= world.now && !late && !node.isLying)
    node.excuse = { ...excuse, reported: true };
}

export function pass(world: World, milliseconds: number): void {
  world.now += milliseconds;
  for (const node of world.nodes) if (!node.silent && !node.unknown) node.heard = world.now;
  if (world.now - world.frozenSince >= STALL_MILLISECONDS) world.leader.frozen = undefined;
}

/** An API server makes each switch in the first minute. */
export function idle(world: World, milliseconds: number): void {
  apiServers(world);
  pass(world, milliseconds);
  for (const { apiServer } of world.nodes) apiServer.pollUntil(world.now);
}

export function work(world: World, node: ModelNode, objects: number): void {
  const before = world.etcd.objects;
  world.etcd = world.leader.rewriter.advance(world.etcd, node, objects, world.now);
  for (const [name, under] of world.etcd.objects) if (before.get(name) !== under) stored(world, name, node);
}

export function write(world: World, { late, object, ...at }: Extract<Event, { kind: "write" }>): void {
  const node = world.node(at.node);
  const resource = RESOURCES[at.entry % RESOURCES.length] ?? "";
  const under = late
    ? node.apiServer.mayStoreUnder(resource, world.now).at(-1)
    : node.apiServer.storesUnder(resource, world.now);
  if (under === undefined) return;
  const name = objectName({ entry: at.entry, object });
  if (world.leader.rewriter.refuses(name)) return;
  world.etcd = withObject(world.etcd, name, under);
  stored(world, name, node);
}

export function apiServers(world: World): void {
  for (const { apiServer } of world.nodes) apiServer.poll(world.now, true);
}

export function operators(world: World, milliseconds: number): void {
  for (const node of world.nodes) sync(world, node, true);
  lead(world);
  if (world.leader.hasCounted(new Date(world.now))) lead(world);
  const [first] = world.nodes;
  if (first !== undefined) work(world, first, HALF);
  pass(world, milliseconds);
}
