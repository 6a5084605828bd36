import { describe, expect, test } from "vitest";
import { deletionPeriod, keyId, NOW, waiting } from "../../testing/objects.ts";
import { waitingObstacle } from "./waiting-period.ts";

const DAY = 86_400_000;
const now = NOW.getTime();

describe("what is due", () => {
  const question = { kind: "deletion", subject: keyId(1), length: 7 * DAY } as const;
  const begun = deletionPeriod(1, { since: now - 8 * DAY, until: 0 });
  const alone = { kind: "agreed", independent: false } as const;
  const reason = (known: ReturnType<typeof waiting>, confirmedDueAt?: string) =>
    waitingObstacle({ ...question, confirmedDueAt }, known, NOW)?.reason ?? "due";

  test.each([
    ["the whole period is over and others confirm the clock => due", waiting([begun]), "due"],
    ["no record => begins now", waiting(), "WaitingPeriodNotOver"],
    [
      "a longer period was recorded => that one",
      waiting([{ ...begun, length: 9 * DAY }]),
      "WaitingPeriodNotOver",
    ],
    ["a later end was recorded => that one", waiting([{ ...begun, until: now + 1 }]), "WaitingPeriodNotOver"],
    [
      "the record's own clock is not confirmed yet => waits",
      waiting([{ ...begun, agreed: false }]),
      "WaitingPeriodNotOver",
    ],
    [
      "nobody confirms the clock, and no time was seen to pass => waits",
      waiting([begun], { time: alone }),
      "TimeNotSeen",
    ],
    [
      "nobody confirms the clock, and all of it was seen to pass => due",
      waiting([begun], { time: alone, seen: 7 * DAY }),
      "due",
    ],
    [
      "all was seen to pass, and the clock says that the time has not come => waits",
      waiting([{ ...begun, since: now }], { time: alone, seen: 7 * DAY }),
      "WaitingPeriodNotOver",
    ],
  ])("%s", (_, known, outcome) => expect(reason(known)).toBe(outcome));

  test("an administrator confirms the end => due; an earlier date, or one to come => waits", () => {
    const known = waiting([begun], { time: alone });
    const day = (days: number) => new Date(now + days * DAY).toISOString();
    expect(reason(known, day(-1))).toBe("due");
    expect(reason(known, day(-2))).toBe("TimeNotSeen");
    expect(reason(known, day(1))).toBe("TimeNotSeen");
    const notOver = waiting([{ ...begun, since: now }], { time: alone });
    expect(reason(notOver, day(-1))).toBe("WaitingPeriodNotOver");
  });
});
