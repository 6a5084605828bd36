import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { expiryTime, WaitingPeriods } from "../../keyring/tables/waiting-periods.ts";
import { KeyringWriter } from "../../keyring/writer.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import type { NodeClocks } from "../../store/nodes/lease-clocks.ts";
import { version } from "../../testing/keyring.ts";
import { keyId, keyVersion, masterKey, NOW, statusWith } from "../../testing/objects.ts";
import { TimeKeeper } from "./time-keeper.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;

/** A machine with a clock, an API server with another clock, and a keyring that outlives its operators. */
let folder: string;
let keyring: KeyringWriter;
let wall: number;
let uptime: number;
/** The API server's clock; undefined if it does not answer. */
let server: number | undefined;
let nodes: NodeClocks | undefined;
let log: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-time-"));
  keyring = KeyringWriter.open(join(folder, "state"));
  keyring.apply([{ kind: "putVersion", version: version(1) }]);
  wall = NOW.getTime();
  uptime = 5_000;
  server = wall;
  nodes = { skews: new Map(), unheard: [] };
  log = [];
});
afterEach(() => {
  keyring.close();
  rmSync(folder, { recursive: true, force: true });
});

const signal = new AbortController().signal;
const cluster = {
  serverTime: async () => {
    if (server === undefined) throw new Error("no answer");
    return server;
  },
  nodeClocks: () => nodes,
};
const standalone = { serverTime: async () => undefined };

function start(store: ConstructorParameters<typeof TimeKeeper>[0]["store"] = cluster) {
  const clock = {
    now: () => new Date(wall),
    wall: () => wall,
    uptime: () => uptime,
    ahead: () => 0,
    longestPause: 1_000,
  };
  const changes: string[] = [];
  const keeper = new TimeKeeper({
    clock,
    store,
    keyring,
    log: (_, message) => log.push(message),
    onChange: () => changes.push(keeper.verdict.kind),
  });
  return { keeper, changes };
}

/** Lets time pass by every clock. */
function pass(milliseconds: number): void {
  wall += milliseconds;
  uptime += milliseconds;
  if (server !== undefined) server += milliseconds;
}

const deletion = { scheduledAt: "2026-01-02T03:04:05Z", deletionDate: "2026-01-09T03:04:05Z" };
const view: { masterKeys: readonly MasterKey[]; keyVersions: readonly KeyVersion[] } = {
  masterKeys: [
    masterKey({
      spec: { deletion: { pendingWindowInDays: 7 } },
      status: { ...statusWith(keyVersion(1)), deletion },
    }),
  ],
  keyVersions: [keyVersion(1, { status: { deletion } })],
};
const seenOf = (keeper: TimeKeeper): number => {
  const { seen, periods } = keeper.waiting;
  return seen - (periods.get(`deletion ${keyId(1)}`)?.seenAt ?? Number.NaN);
};

test("before the API server has said what time it is => unknown; afterwards everybody looks again", async () => {
  const { keeper, changes } = start();
  expect(keeper.verdict.kind).toBe("unknown");
  server = undefined;
  await expect(keeper.ask(signal)).rejects.toThrow("no answer");
  expect(keeper.verdict.kind).toBe("unknown");
  server = wall;
  await keeper.ask(signal);
  expect([keeper.verdict, changes]).toEqual([{ kind: "agreed", independent: false }, ["agreed"]]);
});

test("our own clock is set 40 days forward => known at once, before anybody is asked, and said once", async () => {
  const { keeper } = start();
  await keeper.ask(signal);
  wall += 40 * DAY;
  keeper.tick();
  keeper.tick();
  expect(keeper.verdict).toMatchObject({ kind: "disagree", doubted: true });
  expect(log).toEqual([expect.stringMatching(/differs from the API server's by 40 days \(it is behind\)/)]);
  wall -= 40 * DAY;
  keeper.tick();
  expect([keeper.verdict.kind, log.at(-1)]).toEqual(["agreed", "all clocks agree again"]);
});

/** Returns the clocks of other nodes, by how far each is ahead of this node's. */
const others = (...skews: readonly number[]): NodeClocks => ({
  skews: new Map(skews.map((skew, at) => [`node-${at}`, skew])),
  unheard: [],
});

test("this node's clock may be wrong => expiry goes by the time since it was right, which continues, over restarts too", async () => {
  const { keeper } = start();
  await keeper.ask(signal);
  expect(keeper.doubt).toBeUndefined();
  wall += 40 * DAY;
  keeper.tick();
  expect(keeper.doubt).toMatchObject({ at: NOW, obstacle: { reason: "ClocksDisagree" } });
  pass(3 * DAY);
  keeper.tick();
  uptime = 0;
  const next = start().keeper;
  await next.ask(signal);
  pass(DAY);
  expect(next.doubt?.at).toEqual(new Date(NOW.getTime() + 4 * DAY));
});

test("one clock of three is six minutes off => the two others go by their own, in the operator as in the plugin", async () => {
  const { keeper } = start();
  nodes = others(0, 6 * MINUTE);
  await keeper.ask(signal);
  expect(keeper.verdict.kind).toBe("disagree");
  expect([keeper.doubt, new WaitingPeriods(keyring).time().doubted]).toEqual([undefined, false]);
});

test("Leases that somebody forges for as long as they like => expiry is delayed by nothing", async () => {
  const { keeper } = start();
  nodes = others(0, 0);
  await keeper.ask(signal);
  for (let day = 0; day < 60; day++) {
    nodes = others(0, 0, 40 * DAY, 40 * DAY, 40 * DAY);
    pass(DAY);
    keeper.tick();
  }
  const time = new WaitingPeriods(keyring).time();
  expect(time.doubted).toBe(true);
  expect(expiryTime(time, 0, 0)).toBe(wall);
  expect(keeper.doubt?.at).toEqual(new Date(wall));
});

test("forged Leases that are there when the operator starts => the time is known from its former life", async () => {
  const first = start().keeper;
  await first.ask(signal);
  for (let hour = 0; hour < 100; hour++) {
    pass(60 * MINUTE);
    first.tick();
  }
  uptime = 0;
  nodes = others(40 * DAY, 40 * DAY);
  const { keeper } = start();
  await keeper.ask(signal);
  expect(keeper.doubt?.at?.getTime()).toBeGreaterThanOrEqual(wall - 60 * MINUTE);
});

test("a clock that was never known to be right => nothing better is known", async () => {
  nodes = others(40 * DAY, 40 * DAY);
  const { keeper } = start();
  await keeper.ask(signal);
  expect(keeper.doubt).toMatchObject({ at: undefined, obstacle: { reason: "ClocksDisagree" } });
  expect(expiryTime(new WaitingPeriods(keyring).time(), 0, wall)).toBe(wall);
});

test("time that passes while operators run is counted over their restarts; what passes in between is not", async () => {
  const first = start(standalone).keeper;
  first.note(view);
  expect(seenOf(first)).toBe(0);
  pass(2 * DAY);
  first.tick();
  pass(MINUTE / 2);
  first.close();
  pass(3 * DAY);
  uptime = 0;
  const second = start(standalone).keeper;
  pass(DAY);
  expect(seenOf(second)).toBe(3 * DAY + MINUTE / 2);
});

test("a clock that is set forward is no time that passed", () => {
  const { keeper } = start(standalone);
  keeper.note(view);
  wall += 40 * DAY;
  keeper.tick();
  expect(seenOf(keeper)).toBe(0);
});

test("an operator that was killed => at most a minute is not counted", () => {
  const first = start(standalone).keeper;
  first.note(view);
  for (let second = 0; second < 200; second++) {
    pass(1_000);
    first.tick();
  }
  const second = start(standalone).keeper;
  expect(seenOf(second)).toBeGreaterThan(200_000 - MINUTE);
});

test("a clock that may be wrong is told to the plugin, and repeated; once it is right that is told too", async () => {
  const { keeper } = start();
  const periods = new WaitingPeriods(keyring);
  await keeper.ask(signal);
  wall += 40 * DAY;
  keeper.tick();
  const first = periods.time();
  expect(first).toMatchObject({ doubted: true, agreedAt: NOW.getTime() });
  pass(MINUTE);
  keeper.tick();
  expect(periods.time().seen).toBeGreaterThan(first.seen);
  // The next operator does not know yet, and keeps the last record.
  const next = start().keeper;
  next.tick();
  expect(periods.time().doubted).toBe(true);
  wall -= 40 * DAY;
  nodes = { skews: new Map([["two", 0]]), unheard: [] };
  await next.ask(signal);
  expect(periods.time().doubted).toBe(false);
});

test("nothing waits and clocks agree => the time is written down once an hour", async () => {
  const { keeper } = start();
  await keeper.ask(signal);
  const periods = new WaitingPeriods(keyring);
  const written = new Set<number>();
  for (let minute = 0; minute < 150; minute++) {
    pass(MINUTE);
    keeper.tick();
    written.add(periods.time().agreedAt);
  }
  expect(written.size).toBe(3);
});

test("a disk on which nothing can be written => said, and nothing throws", async () => {
  const { keeper } = start();
  keeper.note(view);
  keyring.run("DROP TABLE operator_time");
  pass(DAY);
  keeper.tick();
  expect(log.at(-1)).toMatch(
    /the elapsed time could not be written to keyring\.db, so waiting periods may last longer: .*operator_time/,
  );
});

test("alone, a clock that was set is doubted for an hour, or until it is set back => then the new time is taken as right", () => {
  const { keeper } = start(standalone);
  wall += 40 * DAY;
  keeper.tick();
  expect(keeper.verdict.kind).toBe("disagree");
  wall -= 40 * DAY;
  keeper.tick();
  expect(keeper.verdict.kind).toBe("agreed");
  wall += 40 * DAY;
  for (let minute = 0; minute < 59; minute++) {
    keeper.tick();
    pass(MINUTE);
  }
  expect(keeper.verdict.kind).toBe("disagree");
  pass(2 * MINUTE);
  keeper.tick();
  expect(keeper.verdict.kind).toBe("agreed");
});
