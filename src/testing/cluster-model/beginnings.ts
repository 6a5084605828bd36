import type { Event } from "./events.ts";

/** In seconds. */
export const DAY = 86_400;

/** Operators work while little else happens. */
const work = (times: number): Event[] => Array.from({ length: times }, () => ({ kind: "operators" }));
const week: Event = { kind: "idle", seconds: 8 * DAY };
/** Every API server has settled afterwards. */
const settle: Event = { kind: "idle", seconds: 250 };
const switchOver: Event = { kind: "apiServers" };
const every = [0, 1, 2] as const;

const objectsBy = (node: number): readonly Event[] =>
  every.flatMap((entry) =>
    every.map((object): Event => ({ kind: "write", node, entry, object, late: false })),
  );
const made: readonly Event[] = [...work(6), switchOver, ...objectsBy(0)];
const syncAll = [...every, 3].map((node): Event => ({ kind: "sync", node }));
/** Everything is rewritten under a new version, and nothing is proven yet. */
const rotated: readonly Event[] = [{ kind: "rotate", key: 0 }, ...work(5), switchOver, ...work(5)];

/**
 * A deletion is accepted once a count shows that nothing is stored under the key, however long that takes.
 */
const accepted: readonly Event[] = [
  { kind: "delete", key: 1 },
  ...work(3),
  { kind: "idle", seconds: 70 },
  ...work(1),
  { kind: "idle", seconds: 600 },
  ...work(2),
];

/**
 * A node other than the leader's comes back from an earlier image, while a key under which its API server
 * wrote at that time is about to be destroyed.
 */
const returning = (...meanwhile: readonly Event[]): readonly Event[] => [
  { kind: "retarget", key: 1 },
  ...made,
  { kind: "takeImage", node: 1 },
  { kind: "retarget", key: 0 },
  ...work(2),
  switchOver,
  ...work(3),
  settle,
  ...work(4),
  ...accepted,
  week,
  ...meanwhile,
  { kind: "comeBackFromImage", node: 1 },
];

/** The beginnings of histories. Each is the middle of a process that random events rarely reach. */
export const BEGINNINGS: readonly (readonly Event[])[] = [
  // A cluster that was just created, and a cluster in which all is well.
  [],
  [...work(6), switchOver, settle, ...work(3), ...objectsBy(0)],
  // A rotation to which API servers have not switched yet, and a rotation to which they have.
  [...made, { kind: "rotate", key: 0 }, ...work(5)],
  [...made, ...rotated],
  // An alias is about to return to a key that it left, which has no later version.
  [
    ...[...made, { kind: "retarget", key: 1 } as const, ...work(3), switchOver],
    ...[{ kind: "retarget", key: 0 } as const, ...work(2)],
  ],
  // Earlier versions are about to be destroyed.
  [...made, { kind: "retain", key: 0 }, ...rotated, settle, ...work(3), { kind: "pass", seconds: 8 * DAY }],
  [...made, { kind: "retain", key: 0 }, ...rotated, settle, ...work(3), week, ...work(1)],
  // The same, but some objects under them cannot be rewritten by anybody, because an entry for them was
  // removed.
  [
    ...[...made, settle, ...work(3)],
    { kind: "roll", file: "fewer" },
    { kind: "retain", key: 0 },
    ...[...rotated, settle, ...work(3), week],
  ],
  // A key is about to be destroyed.
  [...made, ...accepted, { kind: "pass", seconds: 8 * DAY }],
  [...returning({ kind: "lead" }), { kind: "sync", node: 1 }, switchOver, ...work(4)],
  [...returning(), { kind: "sync", node: 1 }, ...work(1)],
  // The same, and an object that is then written under it cannot be rewritten.
  [
    ...[...returning({ kind: "lead" }), ...objectsBy(1)],
    ...every.map((object): Event => ({ kind: "refuse", entry: 1, object })),
    ...[...syncAll, switchOver, ...work(4), settle, ...work(1)],
  ],
  // A census was taken that no leader has looked at, and meanwhile an API server was without its
  // EncryptionConfiguration.
  [
    ...[...made, ...rotated, settle, ...work(1)],
    { kind: "restartWithoutFlag", node: 0 },
    ...objectsBy(0),
    { kind: "restartApiServer", node: 0 },
    ...[settle, ...syncAll],
  ],
  // Everything is rewritten, and a node comes back whose operator was stopped for as long as its API server
  // takes to settle under the former key_id.
  [
    ...[...made, { kind: "takeImage", node: 1 } as const, ...rotated],
    { kind: "comeBackFromImage", node: 1 },
    { kind: "fallSilent", node: 1 },
    settle,
    { kind: "comeBack", node: 1 },
    { kind: "sync", node: 1 },
    { kind: "lead" },
    { kind: "work", node: 0, objects: 5 },
    { kind: "lead" },
  ],
  // An object cannot be written in any round.
  [...made, { kind: "refuse", entry: 0, object: 1 }, ...rotated, settle, ...work(2)],
];
