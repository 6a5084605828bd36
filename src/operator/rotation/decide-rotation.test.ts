import { describe, expect, test } from "vitest";
import type { RotationSpec } from "../../resources/schemas/rotation.ts";
import type { RotationStatus } from "../../resources/schemas/rotation-status.ts";
import { keyVersion, masterKey, statusWith } from "../../testing/objects.ts";
import { decideRotation } from "./decide-rotation.ts";

const START = "2026-01-01T00:00:00Z";
const at = (text: string) => new Date(text);

interface Case {
  readonly name: string;
  readonly spec?: Partial<RotationSpec>;
  readonly status?: RotationStatus;
  readonly enabled?: boolean;
  readonly now: string;
  readonly begins?: string;
  readonly reason: string;
  readonly onTime?: "False";
  readonly next?: string;
}

function key({ spec, status, enabled = true }: Case) {
  const rotation = spec && { onDemandLimit: 25, ...spec };
  return masterKey({
    spec: { enabled, ...(rotation && { rotation }) },
    status: { ...statusWith(keyVersion(3)), rotation: { clockStartedAt: START, ...status } },
  });
}

const quarterly = { enabled: true, periodInDays: 90 };
const saturdays = { ...quarterly, window: { schedule: "0 2 * * 6", timeZone: "UTC", durationMinutes: 120 } };
const running = (phase: "Distributing" | "Verifying", startedAt: string) => ({
  trigger: "OnDemand" as const,
  number: 3,
  startedAt,
  phase,
});

const cases: readonly Case[] = [
  { name: "no rotation in spec => off", now: "2036-01-01T00:00:00Z", reason: "Off" },
  {
    name: "enabled is false => off",
    spec: { ...quarterly, enabled: false },
    now: "2036-01-01T00:00:00Z",
    reason: "Off",
  },
  {
    name: "before its day => scheduled",
    spec: quarterly,
    now: "2026-03-31T23:59:59Z",
    reason: "Scheduled",
    next: "2026-04-01T00:00:00Z",
  },
  {
    name: "no period => 365 days",
    spec: { enabled: true },
    now: "2026-03-01T00:00:00Z",
    reason: "Scheduled",
    next: "2027-01-01T00:00:00Z",
  },
  {
    name: "on its day => rotates",
    spec: quarterly,
    now: "2026-04-01T00:00:00Z",
    begins: "Automatic",
    reason: "Rotating",
    next: "2026-04-01T00:00:00Z",
  },
  {
    name: "years of downtime => rotates, once",
    spec: quarterly,
    now: "2036-01-01T00:00:00Z",
    begins: "Automatic",
    reason: "Rotating",
  },
  {
    name: "due and disabled => waits and says so",
    spec: quarterly,
    enabled: false,
    now: "2026-05-01T00:00:00Z",
    reason: "KeyDisabled",
    onTime: "False",
  },
  {
    name: "not due and disabled => scheduled",
    spec: quarterly,
    enabled: false,
    now: "2026-02-01T00:00:00Z",
    reason: "Scheduled",
  },
  {
    name: "due and one is running => not another",
    spec: quarterly,
    status: { running: running("Verifying", "2026-04-30T12:00:00Z") },
    now: "2026-05-01T00:00:00Z",
    reason: "Rotating",
  },
  {
    name: "one is running for more than a day => overdue",
    spec: quarterly,
    status: { running: running("Distributing", "2026-04-29T00:00:00Z") },
    now: "2026-05-01T00:00:00Z",
    reason: "Overdue",
    onTime: "False",
  },
  {
    name: "due outside the window => waits for it",
    spec: saturdays,
    now: "2026-04-01T12:00:00Z",
    reason: "WaitingForWindow",
    next: "2026-04-04T02:00:00Z",
  },
  {
    name: "due in the window => rotates",
    spec: saturdays,
    now: "2026-04-04T02:30:00Z",
    begins: "Automatic",
    reason: "Rotating",
  },
  {
    name: "not due and a window => the first window after its day",
    spec: saturdays,
    now: "2026-02-01T00:00:00Z",
    reason: "Scheduled",
    next: "2026-04-04T02:00:00Z",
  },
  {
    name: "a window passed while it was due => overdue, and the next window is named",
    spec: saturdays,
    now: "2026-04-05T00:00:00Z",
    reason: "Overdue",
    onTime: "False",
    next: "2026-04-11T02:00:00Z",
  },
  {
    name: "a window that cannot be read => says so and does nothing",
    spec: { ...quarterly, window: { schedule: "sometimes", timeZone: "UTC", durationMinutes: 5 } },
    now: "2036-01-01T00:00:00Z",
    reason: "WindowInvalid",
    onTime: "False",
  },
  {
    name: "asked for => rotates, automatic or not",
    spec: { requestToken: "a" },
    now: START,
    begins: "OnDemand",
    reason: "Rotating",
  },
  {
    name: "asked for while one is running => another",
    spec: { requestToken: "b" },
    status: { handledToken: "a", running: running("Distributing", START) },
    now: START,
    begins: "OnDemand",
    reason: "Rotating",
  },
  {
    name: "asked for outside the window => rotates",
    spec: { ...saturdays, requestToken: "a" },
    now: "2026-02-01T00:00:00Z",
    begins: "OnDemand",
    reason: "Rotating",
  },
  {
    name: "what was asked for is done => not again",
    spec: { requestToken: "a" },
    status: { handledToken: "a" },
    now: START,
    reason: "Off",
  },
  {
    name: "asked for once too often => says how to raise the limit",
    spec: { requestToken: "z" },
    status: { onDemandCount: 25, handledToken: "a" },
    now: START,
    reason: "OnDemandLimitReached",
    onTime: "False",
  },
  {
    name: "the same on its day => rotates by itself all the same",
    spec: { ...quarterly, requestToken: "new", onDemandLimit: 2 },
    status: { onDemandCount: 2, handledToken: "old" },
    now: "2026-04-01T00:00:00Z",
    begins: "Automatic",
    reason: "Rotating",
    next: "2026-04-01T00:00:00Z",
  },
  {
    name: "asked for and disabled => waits",
    spec: { requestToken: "a" },
    enabled: false,
    now: START,
    reason: "KeyDisabled",
    onTime: "False",
  },
  {
    name: "the clock went back => counted from now, not from the future",
    spec: quarterly,
    status: { clockStartedAt: "2046-01-01T00:00:00Z" },
    now: "2026-06-01T00:00:00Z",
    reason: "Scheduled",
    next: "2026-08-30T00:00:00Z",
  },
];

test("a clock that was reset, to before the key was made => what was known stays, and nothing rotates once it is right", () => {
  const reset = decideRotation(
    key({ name: "", reason: "", now: "", spec: quarterly }),
    at("2000-01-01T00:00:00Z"),
  );
  expect(reset).toMatchObject({
    status: { clockStartedAt: START, nextRotationTime: "2026-04-01T00:00:00Z" },
    finding: { reason: "Scheduled" },
  });
  const known = key({ name: "", reason: "", now: "", spec: quarterly, status: reset.status });
  expect(decideRotation(known, at("2026-02-01T00:00:00Z"))).not.toHaveProperty("begin");
});

describe("a key", () => {
  test.each(cases)("$name", (row) => {
    const { begin, finding, status } = decideRotation(key(row), at(row.now));
    expect([begin?.trigger, finding.status, finding.reason]).toEqual([
      row.begins,
      row.onTime ?? "True",
      row.reason,
    ]);
    if (row.next !== undefined) expect(status.nextRotationTime).toBe(row.next);
  });

  test("without a clock of its own => counted from the promotion of its current version", () => {
    const { rotation: _, ...status } = { ...statusWith(keyVersion(1)), rotation: undefined };
    const plan = decideRotation(
      masterKey({ spec: { rotation: { onDemandLimit: 25, ...quarterly } }, status }),
      at(START),
    );
    expect(plan.status).toEqual({ clockStartedAt: START, nextRotationTime: "2026-04-01T00:00:00Z" });
  });

  test("asked for => the token is what is to be remembered", () => {
    const plan = decideRotation(
      key({ name: "", spec: { requestToken: "a" }, now: START, reason: "" }),
      at(START),
    );
    expect(plan.begin).toEqual({ trigger: "OnDemand", token: "a" });
  });
});

test("a status that says again and again that the period began long ago => not twice within a period of the newest version", () => {
  const status = { clockStartedAt: "2020-01-01T00:00:00Z" };
  const forged = key({ name: "", now: "", reason: "", spec: { ...quarterly, periodInDays: 365 }, status });
  const made = (creationTimestamp: string) => ({
    own: [keyVersion(3, { metadata: { creationTimestamp } })],
  });
  const now = at("2026-06-01T00:00:00Z");
  expect(decideRotation(forged, now, made("2025-06-01T00:00:00Z")).begin).toBeDefined();
  const { begin, status: next } = decideRotation(forged, now, made("2026-05-31T00:00:00Z"));
  expect(begin).toBeUndefined();
  expect(next.nextRotationTime).toBe("2027-05-31T00:00:00Z");
  // An API server whose clock was ahead does not delay a rotation for as long.
  expect(decideRotation(forged, now, made("2027-01-01T00:00:00Z")).begin).toBeDefined();
});
