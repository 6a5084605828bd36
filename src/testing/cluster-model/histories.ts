import fc from "fast-check";
import { BEGINNINGS, DAY } from "./beginnings.ts";
import { ClusterModel } from "./cluster-model.ts";
import type { Event, Kind } from "./events.ts";
import type { FileName } from "./files.ts";
import type { ClusterOptions } from "./world.ts";

/** Events in a cluster, in random order. */
export interface History extends ClusterOptions {
  readonly events: readonly Event[];
}

const node = fc.nat(3);
const entry = fc.nat(2);
const key = fc.nat(1);
type Plain = Exclude<
  Kind,
  Extract<
    Event,
    { node: number } | { key: number } | { seconds: number } | { file: FileName } | { object: number }
  >["kind"]
>;

const of = (...kinds: readonly Plain[]) => fc.constantFrom(...kinds).map((kind): Event => ({ kind }));
type At = Exclude<
  Extract<Event, { node: number }>["kind"],
  "poll" | "pollInVain" | "write" | "work" | "edit"
>;
const at = (...kinds: readonly At[]) => fc.record({ kind: fc.constantFrom(...kinds), node });
const file = fc.constantFrom<FileName>("all", "all", "fewer", "early", "out", "broken");
const to = (...kinds: readonly Extract<Event, { key: number }>["kind"][]) =>
  fc.record({ kind: fc.constantFrom(...kinds), key });

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
      kind: fc.constantFrom("pass", "pass", "idle"),
      seconds: fc.constantFrom(5, 50, 200, 250, 8 * DAY, 91 * DAY),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom("refuse", "allow"), entry, object: fc.nat(2) }),
  },
  { weight: 4, arbitrary: at("syncAndCrash", "fallSilent", "comeBack", "comeBack") },
  { weight: 4, arbitrary: at("restartPlugin", "killPlugin", "restartApiServer", "restartApiServer") },
  { weight: 3, arbitrary: at("syncLate", "deleteReport") },
  { weight: 2, arbitrary: of("freeze") },
  { weight: 4, arbitrary: at("reload", "reload", "probe", "restartWithoutFlag") },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("edit"), node, file }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("roll"), file }) },
  { weight: 2, arbitrary: at("takeImage", "comeBackFromImage") },
  { weight: 1, arbitrary: at("lie", "endLie") },
  { weight: 3, arbitrary: of("act", "workFails", "leaderRestarts") },
  { weight: 6, arbitrary: to("leadAndCrash", "think", "think", "rotate", "rotate", "retarget") },
  { weight: 1, arbitrary: to("disable", "enable", "recreate") },
  { weight: 3, arbitrary: to("delete", "delete", "cancel", "retain") },
  { weight: 3, arbitrary: of("backup", "restore", "loseVersions", "deleteAlias") },
);

/** Generates up to a hundred events on one to four nodes. */
export const history: fc.Arbitrary<History> = fc.record({
  size: fc.integer({ min: 1, max: 4 }),
  census: fc.constantFrom(true, true, false),
  countMilliseconds: fc.constantFrom(0, 0, 60_000, 600_000),
  tells: fc.constantFrom(true, true, true, false),
  events: fc
    .tuple(fc.constantFrom(...BEGINNINGS), fc.array(event, { maxLength: 100, size: "max" }))
    .map(([beginning, events]) => [...beginning, ...events]),
});

/** Plays a history. The model itself checks its promises on the way. */
export function play(
  { events, ...options }: History,
  after: (cluster: ClusterModel) => void = () => undefined,
): ClusterModel {
  const cluster = new ClusterModel(options);
  for (const happening of events) {
    cluster.apply(happening);
    after(cluster);
  }
  return cluster;
}

export const happened = ({ events }: History, ...kinds: readonly Kind[]): boolean =>
  events.some(({ kind }) => kinds.includes(kind));
