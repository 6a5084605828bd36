import { describe, expect, test } from "vitest";
import { maintenanceWindow } from "./maintenance-window.ts";

const first = (schedule: string, timeZone: string, durationMinutes: number, since: string) => {
  const window = maintenanceWindow({ schedule, timeZone, durationMinutes });
  if (window.kind !== "scheduled") throw new Error(JSON.stringify(window));
  const opening = window.firstSince(new Date(since));
  return opening && [opening.from.toISOString(), opening.until.toISOString()];
};

describe("a window", () => {
  test("none => always open", () => {
    expect(maintenanceWindow(undefined)).toEqual({ kind: "always" });
  });

  test.each([
    ["before it => the next opening", "2026-01-01T00:00:00Z", "2026-01-03T01:00:00.000Z"],
    ["at its first moment => this opening", "2026-01-03T01:00:00Z", "2026-01-03T01:00:00.000Z"],
    ["in its last minute => this opening", "2026-01-03T02:59:59Z", "2026-01-03T01:00:00.000Z"],
    ["as it closes => the next one", "2026-01-03T03:00:00Z", "2026-01-10T01:00:00.000Z"],
    ["in summer => an hour earlier in UTC", "2026-07-01T00:00:00Z", "2026-07-04T00:00:00.000Z"],
  ])("Saturdays at 2 in Berlin, two hours, %s", (_, since, from) => {
    expect(first("0 2 * * 6", "Europe/Berlin", 120, since)?.[0]).toBe(from);
  });

  test("an hour that summer time skips => it opens all the same", () => {
    expect(first("30 2 29 3 *", "Europe/Berlin", 60, "2026-03-29T00:00:00Z")?.[0]).toMatch(/^2026-03-29T01:/);
  });

  test("it is open for its duration", () => {
    expect(first("0 2 * * *", "UTC", 90, "2026-01-01T00:00:00Z")).toEqual([
      "2026-01-01T02:00:00.000Z",
      "2026-01-01T03:30:00.000Z",
    ]);
  });

  test.each([
    ["words", "every Saturday", "UTC", /5 parts|parts/],
    ["seconds", "0 0 2 * * 6", "UTC", /5 parts/],
    ["an unknown time zone", "0 2 * * 6", "Mars/Olympus", /timezone 'Mars\/Olympus'/],
    ["a day that never comes", "0 0 30 2 *", "UTC", /never comes/],
  ])("%s => invalid, and says why", (_, schedule, timeZone, message) => {
    const window = maintenanceWindow({ schedule, timeZone, durationMinutes: 60 });
    expect(window).toMatchObject({ kind: "invalid", message: expect.stringMatching(message) });
  });
});
