import fc from "fast-check";
import { expect, test } from "vitest";
import { ClusterModel, type Event } from "./cluster-model.ts";

const node = fc.nat(3);
const of = (...kinds: readonly Event["kind"][]) => kinds.map((kind) => fc.constant({ kind } as Event));
const at = (...kinds: readonly ("sync" | "syncAndCrash" | "fallSilent" | "comeBack")[]) =>
  kinds.map((kind) => node.map((index): Event => ({ kind, node: index })));

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.oneof(...of("lead")) },
  { weight: 8, arbitrary: fc.oneof(...at("sync")) },
  { weight: 2, arbitrary: fc.oneof(...at("syncAndCrash", "fallSilent", "comeBack")) },
  { weight: 2, arbitrary: fc.oneof(...of("leadAndCrash", "think", "act", "rotate")) },
  { weight: 1, arbitrary: fc.oneof(...of("backup", "restore", "loseVersions", "recreate")) },
);
const history = fc.record({
  size: fc.integer({ min: 1, max: 4 }),
  events: fc.array(event, { maxLength: 80, size: "max" }),
});
const runs = { numRuns: 1_000 };

/** Runs a history; the model itself checks promotions and numbers on the way. */
function play(size: number, events: readonly Event[], check: (cluster: ClusterModel) => void): ClusterModel {
  const cluster = new ClusterModel(size);
  for (const happening of events) {
    cluster.apply(happening);
    check(cluster);
  }
  return cluster;
}

test("whatever happens => at most one version of the key is current", () => {
  fc.assert(
    fc.property(history, ({ size, events }) => {
      play(size, events, (cluster) => expect(cluster.currentVersions().length).toBeLessThanOrEqual(1));
    }),
    runs,
  );
});

test("whatever happens => what one node encrypts under, every node can open", () => {
  fc.assert(
    fc.property(history, ({ size, events }) => {
      play(size, events, ({ nodes }) => {
        const used = nodes.flatMap(({ key }) => key?.current?.versionId ?? []);
        for (const { versions } of nodes) for (const id of used) expect(versions.has(id)).toBe(true);
      });
    }),
    runs,
  );
});

test("whatever happened, once everybody works again => all serve one version and nothing was lost", () => {
  fc.assert(
    fc.property(history, ({ size, events }) => {
      const cluster = play(size, events, () => undefined);
      const held = cluster.nodes.flatMap(({ versions }) => [...versions.keys()]);
      cluster.settle();
      const current = cluster.etcd.status?.currentVersion;
      expect(current).toBeDefined();
      const everything = new Set(cluster.etcd.versions.map(({ spec }) => spec.versionId));
      for (const id of held) expect(everything.has(id)).toBe(true);
      for (const { key, versions } of cluster.nodes) {
        expect(key?.current?.versionId).toBe(current?.versionId);
        expect(new Set(versions.keys())).toEqual(everything);
      }
    }),
    runs,
  );
});

test("the model reaches what it is to test: promotions, restores and twins of one number", () => {
  const seen = { promotions: 0, numbers: 0, twins: 0 };
  fc.assert(
    fc.property(history, ({ size, events }) => {
      const { etcd } = play(size, events, () => undefined);
      if (etcd.status?.currentVersion !== undefined) seen.promotions += 1;
      if ((etcd.status?.currentVersion?.number ?? 0) > 1) seen.numbers += 1;
      const names = etcd.versions.map(({ metadata }) => metadata.name);
      if (new Set(names).size < names.length) seen.twins += 1;
    }),
    { ...runs, seed: 1 },
  );
  expect(seen.promotions).toBeGreaterThan(100);
  expect(seen.numbers).toBeGreaterThan(20);
  expect(seen.twins).toBeGreaterThan(5);
});
