import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { KmsKeyId } from "../../crypto/ids.ts";
import type { ObservationRow } from "../../keyring/rows.ts";
import { ApiServerObserver } from "./api-server-observer.ts";

const ONE = "0123456789abcdef0123456789abcdef" as KmsKeyId;
const TWO = "fedcba9876543210fedcba9876543210" as KmsKeyId;
const MINUTE = 60_000;
const BOOT = "boot-1";

let told: number;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  told = 0;
  uptime = 1_000_000;
  wall = Date.parse("2026-01-02T03:00:00Z");
});
afterEach(() => vi.useRealTimers());

let uptime: number;
let wall: number;
function pass(milliseconds: number): void {
  uptime += milliseconds;
  wall += milliseconds;
  vi.advanceTimersByTime(milliseconds);
}

function started(former?: ObservationRow, { boot }: { boot?: string } = { boot: BOOT }): ApiServerObserver {
  return new ApiServerObserver({
    provider: "secrets",
    former,
    wall: () => wall,
    monotonic: { now: () => uptime, boot },
    onObserved: () => told++,
  });
}

/** Returns an observer that serves and whose API server asks every minute from the start. */
function serving(): ApiServerObserver {
  const observer = started();
  observer.serve(ONE);
  observer.asked();
  return observer;
}

function askFor(observer: ApiServerObserver, minutes: number): void {
  for (let minute = 0; minute < minutes; minute++) {
    pass(MINUTE);
    observer.asked();
  }
}

/** Returns the record that a plugin leaves for the next one after a clean stop, or after it was killed. */
function left(observer: ApiServerObserver, whole: boolean): ObservationRow {
  observer.close();
  const { row } = observer;
  if (row?.mark === undefined) throw new Error("nothing is served");
  return { ...row, mark: { ...row.mark, whole } };
}

describe("an episode", () => {
  test("the API server asks every minute for hours => one and the same, and settled after four minutes", () => {
    const observer = serving();
    const first = observer.row?.episode;
    askFor(observer, 3);
    expect(observer.row).toMatchObject({ episode: first, settled: false });
    askFor(observer, 200);
    expect(observer.row).toMatchObject({ episode: first, settled: true });
    expect(first).toMatch(/^[0-9a-f-]{36}$/);
  });
  test("another key_id => another one, with nothing counted and not settled", () => {
    const observer = serving();
    observer.encrypted();
    askFor(observer, 5);
    const before = observer.row;
    observer.serve(TWO);
    expect(observer.row).toMatchObject({ kmsKeyId: TWO, encrypts: 0, settled: false });
    expect(observer.row?.episode).not.toBe(before?.episode);
  });
  test("no Status for three minutes, then one => another one, which settles anew", () => {
    const observer = serving();
    observer.encrypted();
    askFor(observer, 5);
    const before = observer.row;
    pass(3 * MINUTE - 1);
    expect(observer.row?.notAskedSince).toBeUndefined();
    pass(1);
    expect(observer.row).toMatchObject({ episode: before?.episode, notAskedSince: before?.lastStatusAt });
    observer.asked();
    expect(observer.row).toMatchObject({ encrypts: 0, settled: false, kmsKeyId: ONE });
    expect(observer.row?.notAskedSince).toBeUndefined();
    expect(observer.row?.episode).not.toBe(before?.episode);
    askFor(observer, 4);
    expect(observer.row?.settled).toBe(true);
  });
  test("a plugin that was stopped for minutes hears its call before its timer => another one all the same", () => {
    const observer = serving();
    const before = observer.row?.episode;
    uptime += 3 * MINUTE;
    observer.asked();
    expect(observer.row?.episode).not.toBe(before);
  });
  test("the wall clock is set by an hour, forward or back => the same one", () => {
    const observer = serving();
    const before = observer.row?.episode;
    for (const step of [3_600_000, -7_200_000]) {
      wall += step;
      askFor(observer, 1);
    }
    expect(observer.row).toMatchObject({ episode: before });
    expect(observer.row?.notAskedSince).toBeUndefined();
  });
  test("nobody ever asks => silent after three minutes, since the start", () => {
    const observer = started();
    observer.serve(ONE);
    const start = wall;
    pass(3 * MINUTE);
    expect(observer.row).toMatchObject({ notAskedSince: start });
    expect(observer.row).not.toHaveProperty("lastStatusAt");
  });
  test("Status is asked while there is no key yet => it counts once there is one", () => {
    const observer = started();
    observer.asked();
    expect(observer.row).toBeUndefined();
    pass(2 * MINUTE);
    observer.serve(ONE);
    pass(MINUTE);
    expect(observer.row).toMatchObject({ notAskedSince: observer.row?.lastStatusAt });
  });
});

describe("settled", () => {
  test("an Encrypt, which a restarted API server or another file sends, restarts the four minutes", () => {
    const observer = serving();
    askFor(observer, 10);
    expect(observer.row?.settled).toBe(true);
    observer.encrypted();
    expect(observer.row).toMatchObject({ settled: false, encrypts: 1, lastEncryptAt: wall });
    askFor(observer, 3);
    expect(observer.row?.settled).toBe(false);
    askFor(observer, 1);
    expect(observer.row?.settled).toBe(true);
  });
});

describe("the episode's own four minutes", () => {
  test("are not restarted by Encrypts, by which an API server tries a file time and again", () => {
    const observer = serving();
    for (let minute = 0; minute < 4; minute++) {
      observer.encrypted();
      askFor(observer, 1);
    }
    expect(observer.row).toMatchObject({ settled: false, episodeSettled: true });
    observer.serve(TWO);
    expect(observer.row).toMatchObject({ settled: false, episodeSettled: false });
  });
});

describe("a plugin that is started again", () => {
  const rows: readonly (readonly [
    string,
    (row: ObservationRow) => ObservationRow | undefined,
    number,
    boolean,
  ])[] = [
    ["within three minutes of the last Status => the same episode", (row) => row, 3 * MINUTE - 1, true],
    ["after three minutes => another one", (row) => row, 3 * MINUTE, false],
    ["and finds no file => another one", () => undefined, 0, false],
    ["and serves another key_id => another one", (row) => ({ ...row, kmsKeyId: TWO }), 0, false],
    [
      "on another boot, or from an old disk image => another one",
      (row) => marked(row, { boot: "boot-2" }),
      0,
      false,
    ],
    [
      "with a time of a boot that took longer => another one",
      (row) => marked(row, { statusAt: 1e12 }),
      0,
      false,
    ],
    [
      "after one that was killed: a last Encrypt may be missing => another one",
      (row) => marked(row, { whole: false }),
      0,
      false,
    ],
    ["after an older release => another one", ({ episode: _, mark: __, ...row }) => row, 0, false],
  ];
  test.each(rows)("%s", (_, change, later, continues) => {
    const before = serving();
    before.encrypted();
    before.encrypted();
    askFor(before, 5);
    const row = left(before, true);
    pass(later);
    const observer = started(change(row));
    observer.serve(ONE);
    expect(observer.row?.episode === row.episode).toBe(continues);
    expect(observer.row).toMatchObject(
      continues
        ? { encrypts: 2, settled: true, servingSince: row.servingSince, lastEncryptAt: row.lastEncryptAt }
        : { encrypts: 0, settled: false, servingSince: wall },
    );
  });
  test("twice, each time after two minutes without a Status => another one: the silence is one", () => {
    const row = left(serving(), true);
    pass(2 * MINUTE);
    const second = started(row);
    second.serve(ONE);
    const again = left(second, true);
    expect(again.episode).toBe(row.episode);
    pass(2 * MINUTE);
    const third = started(again);
    third.serve(ONE);
    expect(third.row?.episode).not.toBe(row.episode);
  });
  test("before it was settled => four minutes more", () => {
    const before = serving();
    askFor(before, 3);
    const observer = started(left(before, true));
    observer.serve(ONE);
    askFor(observer, 3);
    expect(observer.row?.settled).toBe(false);
    askFor(observer, 1);
    expect(observer.row?.settled).toBe(true);
  });
  test("during a silence that was told => it is silent still, until Status is asked", () => {
    const before = serving();
    pass(3 * MINUTE);
    const observer = started(left(before, false));
    observer.serve(ONE);
    expect(observer.row?.notAskedSince).toBe(before.row?.lastStatusAt);
    observer.asked();
    expect(observer.row?.notAskedSince).toBeUndefined();
  });
  test("on a system that does not name its boot => never the same", () => {
    const row = left(serving(), true);
    const observer = started(row, {});
    observer.serve(ONE);
    expect(observer.row?.episode).not.toBe(row.episode);
    expect(observer.row).not.toHaveProperty("mark");
  });
});

const marked = (row: ObservationRow, change: Partial<NonNullable<ObservationRow["mark"]>>): ObservationRow =>
  row.mark === undefined ? row : { ...row, mark: { ...row.mark, ...change } };

test("an API server that asks all the time is written down once a minute, with what it asked last", () => {
  const observer = serving();
  const before = told;
  for (let second = 0; second < 600; second++) {
    pass(1_000);
    observer.asked();
  }
  expect(told - before).toBeLessThanOrEqual(11);
  expect(observer.row?.lastStatusAt).toBe(wall);
});
