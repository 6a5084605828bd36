import { expect, test } from "vitest";
import { currentVersion, keyVersion, NOW } from "../../testing/objects.ts";
import { NO_TASK } from "../reencryption/work.ts";
import type { MasterKeyPlan } from "./decide-master-key.ts";
import { nextLook } from "./next-look.ts";

const HOUR = 3_600_000;
const pace = { longestPause: HOUR, censusInterval: undefined, keys: 1 };
const settled: MasterKeyPlan = {
  step: { kind: "settled" },
  task: NO_TASK,
  fields: { currentVersion: currentVersion(keyVersion(1)) },
  findings: [],
};
const waiting = (reason: string): MasterKeyPlan["step"] => ({ kind: "wait", reason, message: "" });
const inMinutes = (minutes: number) => new Date(NOW.getTime() + minutes * 60_000);

test.each<readonly [string, Partial<MasterKeyPlan>, number]>([
  ["all is settled => as late as may be", {}, HOUR],
  ["a node is waited for => soon", { step: waiting("NodeNotReady") }, 5_000],
  ["room in the namespace is waited for => in a minute", { step: waiting("QuotaExceeded") }, 60_000],
  [
    "a round is under way => its progress is written down",
    { task: { kind: "rewrite", resources: [] } },
    2_000,
  ],
  ["a rotation that was asked for waits for a time => just after it", { waitsUntil: inMinutes(10) }, 601_000],
  ["a time that has passed => in a moment", { waitsUntil: inMinutes(-10) }, 1_000],
])("%s", (_, changes, expected) => {
  expect(nextLook({ ...settled, ...changes }, pace, NOW)).toBe(expected);
});

test("thousands of new keys wait for the same node => each less often, one in use as often as ever", () => {
  const plan = { ...settled, step: waiting("NodeNotReady") };
  const crowd = { ...pace, keys: 5_000 };
  expect(nextLook({ ...plan, fields: {} }, crowd, NOW)).toBe(50_000);
  expect(nextLook(plan, crowd, NOW)).toBe(5_000);
});
