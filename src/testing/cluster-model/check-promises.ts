import type { Etcd } from "./etcd.ts";
import type { World } from "./world.ts";

export function checkPromises(world: World, before: Etcd): void {
  for (const { sockets } of world.nodes) {
    for (const socket of sockets) {
      world.promises.counts.checked("a key_id that was left does not return", socket.switched);
      socket.switched = 0;
    }
  }
  for (const { spec } of world.etcd.versions)
    if (spec.destroyed !== undefined) world.destroyed.add(spec.versionId);
  world.promises.checkReadable(world.etcd, world.destroyed, world.now);
  if (before.versions !== world.etcd.versions || currentIn(before) !== currentIn(world.etcd))
    world.promises.checkCurrent(world.etcd);
  if (world.moved) return;
  const excused = new Set(world.excused.keys());
  for (const key of world.etcd.masterKeys) {
    if (!world.outdated.has(key.metadata.name))
      world.promises.checkComplete(world.etcd, key, excused, world.now);
  }
}

const currentIn = ({ masterKeys }: Etcd): string =>
  masterKeys.map(({ status }) => `${status?.keyId} ${status?.currentVersion?.versionId}`).join();
