import { expect, test } from "vitest";
import { leaderSilence } from "./leader-silence.ts";

test("no operator leads any more => what the last one said of stored data is not told as the present", () => {
  const renewed = "2026-01-02T03:04:05.678000Z";
  const now = Date.parse("2026-01-02T03:04:05.678Z");
  expect(leaderSilence(renewed, now + 120_000)).toBeUndefined();
  expect(leaderSilence(renewed, now + 120_001)).toContain(`no operator leads since ${renewed}`);
  expect(leaderSilence(undefined, now)).toContain("no operator leads, so");
  expect(leaderSilence("lately", now)).toContain("no operator leads");
});
