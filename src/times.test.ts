import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isoTime, parseTime, rfc3339, timeOf } from "./times.ts";

describe("a time from outside", () => {
  test.each([
    ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"],
    ["2026-01-02t03:04:05z", "2026-01-02T03:04:05.000Z"],
    ["2026-01-02T03:04:05.678901234+02:00", "2026-01-02T01:04:05.678Z"],
    ["2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999Z"],
    ["0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"],
    ["0000-01-01T00:00:00+23:59", "0000-01-01T00:00:00.000Z"],
    ["9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999Z"],
    ["9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999Z"],
  ])("%s => is read", (text, time) => {
    expect(isoTime(timeOf(text))).toBe(time);
  });
  test.each([
    undefined,
    "",
    "soon",
    "2026-01-02",
    "2026-13-02T03:04:05Z",
    "2026-01-02T25:04:05Z",
    "2026-01-02T03:04:05x5Z",
    "2026-01-02T03:04:05+99:99",
    "2026-01-02T03:04:05Zt",
    "+275760-09-13T00:00:00Z",
    "-000001-01-01T00:00:00Z",
  ])("%s => is no time, and nothing is thrown", (text) => {
    expect(parseTime(text)).toBeUndefined();
    expect(timeOf(text)).toBeNaN();
  });
});

test("any number as a time => is written in a form that is read back", () => {
  fc.assert(
    fc.property(fc.oneof(fc.double(), fc.constantFrom(8.64e15, -8.64e15, 8.64e15 + 1)), (milliseconds) => {
      for (const text of [rfc3339(new Date(milliseconds)), isoTime(milliseconds)]) {
        expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/);
        expect(parseTime(text)).toBeDefined();
      }
    }),
  );
});
