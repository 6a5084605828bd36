import fc from "fast-check";
import { expect, test } from "vitest";
import { ClusterModel } from "./cluster-model/cluster-model.ts";
import { KEY_NAMES, masterKeyOf } from "./cluster-model/etcd.ts";
import type { Event, Kind } from "./cluster-model/events.ts";
import { hasMaterial } from "./versions.ts";

interface History {
  readonly size: number;
  readonly census: boolean;
  readonly events: readonly Event[];
}

const node = fc.nat(3);
const entry = fc.nat(2);
const key = fc.nat(1);
type Plain = Exclude<Kind, Extract<Event, { node: number } | { key: number } | { seconds: number }>["kind"]>;

const of = (...kinds: readonly Plain[]) => fc.constantFrom(...kinds).map((kind): Event => ({ kind }));
const at = (
  ...kinds: readonly (
    | "sync"
    | "syncAndCrash"
    | "fallSilent"
    | "comeBack"
    | "restartPlugin"
    | "restartApiServer"
  )[]
) => fc.record({ kind: fc.constantFrom(...kinds), node });
const to = (...kinds: readonly Extract<Event, { key: number }>["kind"][]) =>
  fc.record({ kind: fc.constantFrom(...kinds), key });
const day = 86_400;

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: of("everybody") },
  { weight: 14, arbitrary: of("operators") },
  { weight: 3, arbitrary: of("apiServers") },
  { weight: 4, arbitrary: of("lead") },
  { weight: 5, arbitrary: at("sync") },
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom("poll", "poll", "pollInVain"), node, entry }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("write"), node, entry, object: fc.nat(2), late: fc.boolean() }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("work"), node, objects: fc.constantFrom(1, 2, 5) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("pass"),
      seconds: fc.constantFrom(5, 50, 200, 250, 8 * day, 91 * day),
    }),
  },
  { weight: 4, arbitrary: at("syncAndCrash", "fallSilent", "comeBack", "comeBack") },
  { weight: 3, arbitrary: at("restartPlugin", "restartApiServer", "restartApiServer") },
  { weight: 3, arbitrary: of("act", "workFails", "leaderRestarts") },
  { weight: 6, arbitrary: to("leadAndCrash", "think", "think", "rotate", "rotate", "retarget") },
  { weight: 1, arbitrary: to("disable", "enable", "recreate") },
  { weight: 3, arbitrary: to("delete", "delete", "cancel", "retain") },
  { weight: 2, arbitrary: of("backup", "restore", "loseVersions", "deleteAlias") },
);

const times = (count: number, kind: "everybody" | "operators"): Event[] =>
  Array.from({ length: count }, () => ({ kind }));
const written = [0, 1, 2].flatMap((entry) =>
  [0, 1, 2].map((object): Event => ({ kind: "write", node: 0, entry, object, late: false })),
);
/** A cluster that was just made, one where all is well, and two in the middle of a rotation: API servers are yet to switch, or have. */
const beginnings: readonly (readonly Event[])[] = [
  [],
  [...times(12, "everybody"), ...written],
  [...times(6, "everybody"), ...written, { kind: "rotate", key: 0 }, ...times(5, "operators")],
  [...times(6, "everybody"), ...written, { kind: "rotate", key: 0 }, ...times(5, "everybody")],
];

/** Up to a hundred events on one to four nodes. */
const history: fc.Arbitrary<History> = fc.record({
  size: fc.integer({ min: 1, max: 4 }),
  census: fc.constantFrom(true, true, false),
  events: fc
    .tuple(fc.constantFrom(...beginnings), fc.array(event, { maxLength: 100, size: "max" }))
    .map(([beginning, events]) => [...beginning, ...events]),
});

/** Plays a history; the model itself checks its promises on the way. */
function play(
  { size, census, events }: History,
  after: (cluster: ClusterModel) => void = () => undefined,
): ClusterModel {
  const cluster = new ClusterModel(size, census);
  for (const happening of events) {
    cluster.apply(happening);
    after(cluster);
  }
  return cluster;
}

/** Another one each time; CLAVIGER_TEST_SEED plays a failure again. */
const seed = Number(process.env.CLAVIGER_TEST_SEED ?? Date.now() % 2 ** 31);
const numRuns = Number(process.env.CLAVIGER_TEST_RUNS ?? 10_000);
/** Minutes of nothing but computing, and many times as many on a busy machine. */
const timeout = 7_200_000;

const happened = ({ events }: History, ...kinds: readonly Kind[]): boolean =>
  events.some(({ kind }) => kinds.includes(kind));

test(`whatever happens, every promise is kept, and once everybody works again all is well (seed ${seed})`, {
  timeout,
}, () => {
  fc.assert(
    fc.property(history, (past) => {
      const cluster = play(past);
      const held = cluster.nodes.flatMap(({ keyring }) => [...keyring.versions.keys()]);
      cluster.settle();
      expectNothingLost(cluster, held);
      if (!happened(past, "restore", "loseVersions", "recreate", "deleteAlias"))
        expect(cluster.nodes.flatMap(({ contradictions }) => contradictions)).toEqual([]);
      for (const name of KEY_NAMES) expectDone(cluster, name, past.census);
      const disturbed = happened(past, "restore", "loseVersions", "recreate", "delete");
      if (!disturbed && !isHalfKnown(cluster))
        for (const name of KEY_NAMES) expectEveryRotationOnce(cluster, name);
    }),
    { seed, numRuns },
  );
});

/** What was destroyed stays destroyed, on every node. */
function expectNothingLost({ etcd, nodes, destroyed }: ClusterModel, held: readonly string[]): void {
  const everything = new Set(etcd.versions.filter(hasMaterial).map(({ spec }) => spec.versionId));
  for (const id of held) expect(everything.has(id) || destroyed.has(id)).toBe(true);
  for (const { keyring } of nodes) {
    expect(new Set(keyring.versions.keys())).toEqual(everything);
    expect(new Set(keyring.tombstones.keys())).toEqual(destroyed);
  }
}

/** One version is served, what was asked for is done, and what is stored has followed. */
function expectDone({ etcd, nodes }: ClusterModel, name: string, census: boolean): void {
  const { spec, status } = masterKeyOf(etcd, name);
  const current = status?.currentVersion;
  expect(current).toBeDefined();
  // A name's keyId, or an alias's key, that a restored etcd has and the nodes have left: said, and not followed.
  if (nodes.some(({ contradictions }) => contradictions.length > 0)) return;
  for (const { keyring, sockets } of nodes) {
    expect(keyring.key(`apps/${name}`)?.current?.versionId).toBe(current?.versionId);
    // A KeyAlias that was deleted is served on.
    const target = etcd.alias?.status?.masterKey ?? keyring.alias("apps/main")?.masterKey;
    const serving = sockets.filter(({ config: { ref } }) =>
      "key" in ref ? ref.key.name === name : target === name,
    );
    for (const socket of serving) expect(socket.serving?.kmsKeyId).toBe(current?.kmsKeyId);
  }
  // Which key such an alias belongs to is for somebody to say, who makes it again.
  if (isHalfKnown({ etcd, nodes })) return;
  expect(status?.rotation?.running).toBeUndefined();
  expect(status?.rotation?.handledToken).toBe(spec.rotation?.requestToken);
  const stored = nodes.some(({ sockets }) =>
    sockets.some(({ serving }) => serving?.kmsKeyId === current?.kmsKeyId),
  );
  expect(status?.reencryption).toEqual(
    stored ? expect.objectContaining({ phase: "Complete", verified: census }) : undefined,
  );
}

/** Whether an alias was deleted before all nodes had heard of it, or of where it points: they serve it on, each as it knows it. */
function isHalfKnown({ etcd, nodes }: Pick<ClusterModel, "etcd" | "nodes">): boolean {
  const targets = new Set(nodes.map(({ keyring }) => keyring.alias("apps/main")?.masterKey));
  return etcd.alias === undefined && targets.size > 1;
}

function expectEveryRotationOnce({ etcd }: ClusterModel, name: string): void {
  const numbers = new Set(etcd.begun.filter(({ key }) => key === name).map(({ number }) => number));
  expect(masterKeyOf(etcd, name).status?.currentVersion?.number).toBe(1 + numbers.size);
}

/** In how many of a thousand histories it is to be so, at the least. */
const reached = {
  Switching: 500,
  Reencrypting: 500,
  Verifying: 500,
  Complete: 80,
  "Complete, verified": 150,
  "half a round": 100,
  "a pause between rounds": 5,
  "objects that could not be written": 15,
  "a rotation on demand": 250,
  "an automatic rotation": 100,
  "a third version": 60,
  "twins of one number": 5,
  "objects under several key_ids": 4,
  KeyIDWouldReturn: 10,
  "a deletion that was refused": 50,
  "a key that is pending deletion": 50,
  "a deletion that was cancelled": 5,
  "a destroyed key": 20,
  "a version destroyed by its retention": 20,
};

test("the model reaches what it is to test", { timeout }, () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(history, (past) => {
      const during = new Set<string>();
      const { etcd } = play(past, (cluster) => {
        for (const what of statesOf(cluster)) during.add(what);
      });
      for (const { token } of etcd.begun)
        during.add(token === undefined ? "an automatic rotation" : "a rotation on demand");
      if (etcd.masterKeys.some(({ status }) => (status?.currentVersion?.number ?? 0) > 2))
        during.add("a third version");
      const names = etcd.versions.map(({ metadata }) => metadata.name);
      if (new Set(names).size < names.length) during.add("twins of one number");
      if (new Set([...etcd.objects.values()].map(({ kmsKeyId }) => kmsKeyId)).size > 2)
        during.add("objects under several key_ids");
      if (past.events.some(({ kind }) => kind === "cancel") && during.has("a key that is pending deletion"))
        during.add("a deletion that was cancelled");
      for (const what of during) seen.set(what, (seen.get(what) ?? 0) + 1);
    }),
    { seed: 1, numRuns: 1_000 },
  );
  const missed = Object.entries(reached).filter(([what, atLeast]) => (seen.get(what) ?? 0) < atLeast);
  expect(missed.map(([what]) => [what, seen.get(what)])).toEqual([]);
});

function statesOf({ etcd }: ClusterModel): string[] {
  const states = etcd.alias?.status?.conditions?.map(({ reason }) => reason) ?? [];
  for (const { status } of etcd.masterKeys) {
    const blocked = status?.conditions?.find(({ type }) => type === "DeletionBlocked");
    if (blocked?.status === "True" && blocked.reason === "InUse") states.push("a deletion that was refused");
    if (status?.keyState === "PendingDeletion") states.push("a key that is pending deletion");
    if (status?.keyState === "Destroyed") states.push("a destroyed key");
    else if (etcd.versions.some(({ spec }) => spec.destroyed && spec.keyId === status?.keyId))
      states.push("a version destroyed by its retention");
    if (status?.reencryption === undefined) continue;
    const { phase, verified, failed = 0, cursor, nextRoundAt } = status.reencryption;
    states.push(verified ? `${phase}, verified` : phase);
    if (failed > 0) states.push("objects that could not be written");
    if (cursor !== undefined) states.push("half a round");
    if (nextRoundAt !== undefined) states.push("a pause between rounds");
  }
  return states;
}
