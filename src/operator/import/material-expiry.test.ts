import { describe, expect, test } from "vitest";
import { keyVersion, NOW } from "../../testing/objects.ts";
import { expiryFinding, nextExpiryChange } from "./material-expiry.ts";

const DAY = 24 * 3600 * 1000;
const inDays = (days: number): string => new Date(NOW.getTime() + days * DAY).toISOString();
const expiring = (n: number, days: number) => keyVersion(n, { spec: { validTo: inDays(days) } });

describe("the condition MaterialExpiring", () => {
  test.each([
    ["no version => not stated", [], undefined],
    ["material that does not expire => not stated", [keyVersion(1)], undefined],
    ["material for 31 days more => no warning", [expiring(1, 31)], "False NotSoon"],
    ["material for 29 days more => a warning", [expiring(1, 29)], "True MaterialExpiresSoon"],
    ["material for 6 days more => another warning", [expiring(1, 6)], "True MaterialExpiresWithinAWeek"],
    [
      "material for a moment more => the last warning",
      [expiring(1, 0.0001)],
      "True MaterialExpiresWithinADay",
    ],
    ["this moment => expired", [expiring(1, 0)], "True MaterialExpired"],
    [
      "an old version expired, the newer is good => still said: data may be under it",
      [expiring(1, -1), expiring(2, 300)],
      "True MaterialExpired",
    ],
    [
      "one of several expires soon => a warning",
      [keyVersion(1), expiring(2, 3)],
      "True MaterialExpiresWithinAWeek",
    ],
  ])("%s", (_, versions, stated) => {
    const finding = expiryFinding(versions, NOW);
    expect(finding && `${finding.status} ${finding.reason}`).toBe(stated);
  });

  test("names the versions and their dates, and nothing that changes from one pass to the next", () => {
    const versions = [expiring(1, 3), expiring(2, 2), expiring(3, 20)];
    const later = new Date(NOW.getTime() + DAY / 2);
    expect(expiryFinding(versions, NOW)?.message).toBe(
      `expiring: version 2 (${inDays(2)}), version 1 (${inDays(3)});` +
        " import the same material again with a later validTo, or the API server's data under it becomes unreadable",
    );
    expect(expiryFinding(versions, later)).toEqual(expiryFinding(versions, NOW));
  });
});

describe("the next change by time alone", () => {
  test.each([
    ["nothing expires => none", [keyVersion(1)], undefined],
    ["far away => when the warning begins", [expiring(1, 100)], 70 * DAY],
    ["warned of => the next warning", [expiring(1, 9)], 2 * DAY],
    ["warned of for the last time => when it expires", [expiring(1, 0.5)], 0.5 * DAY],
    ["expired => none", [expiring(1, -2)], undefined],
    ["several => the first to come", [expiring(1, -2), expiring(2, 5), expiring(3, 4)], 3 * DAY],
  ])("%s", (_, versions, distance) => {
    expect(nextExpiryChange(versions, NOW)).toBe(distance);
  });
});
