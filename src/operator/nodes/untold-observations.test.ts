import { expect, test } from "vitest";
import { kmsKeyId } from "../../crypto/ids.ts";
import type { ObservationRow } from "../../keyring/rows.ts";
import { keyId, versionId } from "../../testing/objects.ts";
import { UntoldObservations } from "./untold-observations.ts";

const MINUTE = 60_000;
const row = (changes: Partial<ObservationRow> = {}): ObservationRow => ({
  provider: "p",
  kmsKeyId: kmsKeyId(keyId(1), versionId(1)),
  servingSince: 1,
  encrypts: 1,
  settled: true,
  lastStatusAt: 1_000,
  ...changes,
});

test("the plugin does not renew what it saw for five minutes => nobody is known to ask, since the last that is known", () => {
  const untold = new UntoldObservations();
  expect(untold.marked([row()], 0)).toEqual([row()]);
  expect(untold.nextAt(0)).toBe(5 * MINUTE);
  expect(untold.marked([row()], 5 * MINUTE - 1)).toEqual([row()]);
  expect(untold.marked([row()], 5 * MINUTE)).toEqual([row({ notAskedSince: 1_000 })]);
  expect(untold.nextAt(5 * MINUTE)).toBeUndefined();
});

test("it renews it => it counts on, by whatever clock the plugin's times are", () => {
  const untold = new UntoldObservations();
  untold.marked([row({ lastStatusAt: 9_000_000_000 })], 0);
  expect(untold.marked([row({ lastStatusAt: 5 })], 4 * MINUTE)).toEqual([row({ lastStatusAt: 5 })]);
  expect(untold.marked([row({ lastStatusAt: 5 })], 8 * MINUTE)).toEqual([row({ lastStatusAt: 5 })]);
});

test("it says itself that nobody asks, or nobody ever asked => as it says", () => {
  const untold = new UntoldObservations();
  const { lastStatusAt: _, ...never } = row();
  const rows = [row({ notAskedSince: 7 }), { ...never, provider: "q" }];
  untold.marked(rows, 0);
  expect(untold.marked(rows, 60 * MINUTE)).toEqual(rows);
  expect(untold.nextAt(0)).toBeUndefined();
});
