import { describe, expect, test } from "vitest";
import { ClusterModel } from "../../testing/cluster-model/cluster-model.ts";
import { masterKeyOf } from "../../testing/cluster-model/etcd.ts";
import type { ModelNode } from "../../testing/cluster-model/model-node.ts";

/**
 * Sets every clock of a cluster wrong by every amount at every stage of a deletion. In every case nothing is
 * destroyed before the true time allows it, and everything continues once the clocks are right.
 */
const HOUR_SECONDS = 3_600;
const DAY_SECONDS = 24 * HOUR_SECONDS;
const DAY = DAY_SECONDS * 1_000;
/** The waiting period of the model's deletions. */
const WINDOW = 7 * DAY;
/** The MasterKey that no provider serves. */
const [OTHER, NAME] = [1, "other"] as const;

const clocks = [
  "the leader's",
  "the API server's beside it",
  "the leader's machine's",
  "another node's",
] as const;
const amounts = { "an hour": HOUR_SECONDS * 1_000, "40 days": 40 * DAY } as const;
const stages = [
  "before it is asked for",
  "during the waiting period",
  "in steps during the waiting period",
] as const;

interface Case {
  readonly nodes: 1 | 3;
  readonly clock: (typeof clocks)[number];
  readonly skew: number;
  readonly stage: (typeof stages)[number];
}

const cases = ([1, 3] as const).flatMap((nodes) =>
  clocks
    .filter((clock) => nodes === 3 || clock !== "another node's")
    .flatMap((clock) =>
      Object.entries(amounts).flatMap(([text, amount]) =>
        ([1, -1] as const).flatMap((sign) =>
          stages.map((stage) => {
            const which = `${clock} clock is ${text} ${sign === 1 ? "ahead" : "behind"} ${stage}`;
            return [`${nodes} node(s), ${which}`, { nodes, clock, skew: sign * amount, stage }] as const;
          }),
        ),
      ),
    ),
);

/** A cluster with a key that nobody uses. Its clocks can be set. */
class Clocks {
  readonly cluster: ClusterModel;
  readonly #case: Case;
  asked: number | undefined;

  constructor(one: Case) {
    this.#case = one;
    this.cluster = new ClusterModel({ size: one.nodes, census: true, countMilliseconds: 0, tells: true });
    this.work(20);
  }

  get #node(): ModelNode {
    const found = this.cluster.nodes[this.#case.clock === "another node's" ? 1 : 0];
    if (found === undefined) throw new Error("the cluster has no such node");
    return found;
  }

  set(skew: number): void {
    const { clock } = this.#case;
    if (clock !== "the API server's beside it") this.#node.skew = skew;
    if (clock === "the API server's beside it" || clock === "the leader's machine's")
      this.#node.serverSkew = skew;
  }

  /** Restarts the operators, as the documentation tells whoever sets the clock of a single node. */
  restart(): void {
    for (const node of this.cluster.nodes) node.skewAtStart = node.skew;
  }

  /** Lets everybody work for a while. A count of stored objects is valid for less than a minute. */
  work(rounds: number): void {
    for (let round = 0; round < rounds; round++) {
      for (const kind of ["everybody", "operators", "operators"] as const) {
        this.cluster.apply({ kind });
        this.#check();
      }
    }
  }

  days(days: number): void {
    for (let day = 0; day < days; day++) {
      this.cluster.apply({ kind: "idle", seconds: DAY_SECONDS });
      this.work(2);
    }
  }

  ask(): void {
    this.cluster.apply({ kind: "delete", key: OTHER });
    this.asked = this.cluster.now;
  }

  get key() {
    return masterKeyOf(this.cluster.etcd, NAME);
  }

  /** The number of nodes that hold material of the deleted key. */
  get holders(): number {
    const { keyId } = this.key.status ?? {};
    return this.cluster.nodes.filter(({ keyring }) =>
      [...keyring.versions.values()].some((version) => version.keyId === keyId),
    ).length;
  }

  #check(): void {
    if (this.asked === undefined || this.cluster.now >= this.asked + WINDOW) return;
    expect([this.cluster.destroyed.size, this.holders]).toEqual([0, this.#case.nodes]);
  }
}

describe("the deletion of a key", () => {
  test.each(cases)("%s => nothing is destroyed early, and it goes on once clocks are right", (_, one) => {
    const world = new Clocks(one);
    const alone = one.nodes === 1 && one.clock === "the leader's machine's";
    if (one.stage === "before it is asked for") {
      world.set(one.skew);
      world.restart();
    }
    world.ask();
    world.work(10);
    const wasAccepted = world.key.status?.deletion !== undefined;
    // A single node cannot know the time, so the time that it sees pass counts.
    expect(wasAccepted).toBe(one.stage !== "before it is asked for" || alone);
    if (one.stage === "during the waiting period") world.set(one.skew);
    for (let day = 0; day < 4; day++) {
      if (one.stage === "in steps during the waiting period") world.set(day % 2 === 0 ? one.skew : 0);
      world.days(1);
    }
    world.set(0);
    world.restart();
    // A date from a clock that was ahead stays, unless the deletion is cancelled.
    const late =
      alone && wasAccepted && one.skew > 0 && one.stage === "before it is asked for" ? one.skew : 0;
    world.days(8 + late / DAY);
    expect([world.key.status?.keyState, world.holders]).toEqual(["Destroyed", 0]);
  });
});

describe("a rotation of every 90 days", () => {
  const rotations = ({ cluster }: Clocks) => cluster.etcd.begun.filter(({ key }) => key === NAME).length;

  test.each([1, 3] as const)(
    "%d node(s), the leader's machine is 40 days ahead for a while, twice => one comes early, and the next is 90 days later",
    (nodes) => {
      const world = new Clocks({ nodes, clock: "the leader's machine's", skew: 0, stage: stages[1] });
      const seen: number[] = [];
      for (let day = 0; day < 155; day++) {
        world.set((day >= 55 && day < 60) || (day >= 70 && day < 75) ? 40 * DAY : 0);
        if (rotations(world) > seen.length) seen.push(day);
        world.days(1);
      }
      expect(seen).toEqual([56, expect.closeTo(151, -1)]);
    },
  );

  test.each([1, 3] as const)(
    "%d node(s), the leader's machine is 40 days behind => it is late, and comes once the clock is right",
    (nodes) => {
      const world = new Clocks({ nodes, clock: "the leader's machine's", skew: 0, stage: stages[1] });
      world.set(-40 * DAY);
      world.days(95);
      expect(rotations(world)).toBe(0);
      world.set(0);
      world.days(1);
      expect(rotations(world)).toBe(1);
    },
  );
});
