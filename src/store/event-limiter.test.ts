import { expect, test } from "vitest";
import { keyGrant } from "../testing/grants.ts";
import { masterKey } from "../testing/objects.ts";
import { EventLimiter } from "./event-limiter.ts";
import type { ResourceEvent } from "./events.ts";

const event = (reason = "RotationBegan"): ResourceEvent => ({ type: "Normal", reason, message: "it began" });
const key = (namespace: string, name: string) => masterKey({ metadata: { namespace, name } });
const HOUR = 3_600_000;

test("an object has an event every second for a day => at most one in five minutes after the first 25, and the next says how many were left out", () => {
  const limiter = new EventLimiter();
  let told = 0;
  for (let second = 0; second < 86_400; second++) {
    if (limiter.admit(key("tenant", "a"), event(), second * 1_000) !== undefined) told += 1;
  }
  expect(told).toBeLessThanOrEqual(25 + 288);
  expect(limiter.admit(key("tenant", "a"), event(), 48 * HOUR)?.message).toMatch(
    /^it began \(\d+ events of this object before it were left out\)$/,
  );
});

test("a namespace's thousands of objects have events => bounded for them together, and another namespace's are told", () => {
  const limiter = new EventLimiter();
  const told = Array.from({ length: 5_000 }, (_, n) => limiter.admit(key("tenant", `k${n}`), event(), n));
  expect(told.filter((one) => one !== undefined).length).toBeLessThan(510);
  expect(limiter.admit(key("shop", "main"), event(), 5_000)).toEqual(event());
});

test("a namespace's thousands of grants have events => bounded, and its keys' are told", () => {
  const limiter = new EventLimiter();
  const grant = (n: number) => keyGrant({ metadata: { namespace: "tenant", name: `g${n}` } });
  const told = Array.from({ length: 2_000 }, (_, n) => limiter.admit(grant(n), event("Granted"), n));
  expect(told.filter((one) => one !== undefined).length).toBeLessThan(510);
  expect(limiter.admit(key("tenant", "main"), event(), 2_000)).toEqual(event());
});

test("a version is destroyed => it is told, however many events there were", () => {
  const limiter = new EventLimiter();
  for (let n = 0; n < 1_000; n++) limiter.admit(key("tenant", "a"), event(), n);
  expect(limiter.admit(key("tenant", "a"), event("VersionDestroyed"), 1_000)).toEqual(
    event("VersionDestroyed"),
  );
});
