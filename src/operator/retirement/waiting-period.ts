import { periodKey, type WaitingPeriod } from "../../keyring/tables/waiting-periods.ts";
import { PENDING_WINDOW } from "../../resources/schemas/deletion.ts";
import { DAY_MILLISECONDS, HOUR_MILLISECONDS, rfc3339, timeOf } from "../../times.ts";
import { length, type TimeVerdict } from "../time/decide-time.ts";
import type { Obstacle } from "./usage-census.ts";

/** No waiting period is shorter, whatever a status says. */
export const SHORTEST_MILLISECONDS = PENDING_WINDOW.minimum * DAY_MILLISECONDS;

/** This node's own knowledge of time, and of everything that waits for destruction. */
export interface Waiting {
  readonly time: TimeVerdict;
  /** By `periodKey`. */
  readonly periods: ReadonlyMap<string, WaitingPeriod>;
  /** How much time this node's operators have seen pass, in milliseconds. */
  readonly seen: number;
}

/** Returns when something may be destroyed, by this node's own record. */
export const endOf = ({ since, until, length: recorded }: WaitingPeriod, asked: number): number =>
  Math.max(until, since + Math.max(asked, recorded));

/** A question about a waiting period. */
export interface PeriodQuestion {
  readonly kind: WaitingPeriod["kind"];
  readonly subject: string;
  /** The shortest allowed period, in milliseconds. A longer recorded period takes precedence. */
  readonly length: number;
  /** The time that an administrator has confirmed to be past, RFC 3339. */
  readonly confirmedDueAt?: string | undefined;
}

/**
 * Returns why something must still wait, by what this node itself has seen, or undefined if its time has
 * come. If no other machine's clock confirms ours, the whole period must have been seen to pass.
 */
export function waitingObstacle(question: PeriodQuestion, waiting: Waiting, now: Date): Obstacle | undefined {
  const { time, periods, seen } = waiting;
  if (time.kind !== "agreed") return { reason: time.reason, message: time.message };
  const period = periods.get(periodKey(question));
  if (period === undefined || (time.independent && !period.agreed))
    return notOver("this node has only just begun its own record of the period");
  const asked = Math.max(question.length, period.length);
  const end = endOf(period, question.length);
  if (end > now.getTime()) return notOver(`by this node's own record it ends at ${rfc3339(new Date(end))}`);
  const missing = asked - (seen - period.seenAt);
  if (time.independent || missing <= 0 || isPast(question.confirmedDueAt, end, now)) return undefined;
  return {
    reason: "TimeNotSeen",
    message: `no other node confirms this node's clock, and its operator has yet to see ${atLeastHours(missing)} of the waiting period pass${remedy(question)}`,
  };
}

/** In hours, not minutes: a message in a status must not change all the time. */
const atLeastHours = (milliseconds: number): string =>
  milliseconds < 2 * HOUR_MILLISECONDS ? "less than 2 hours" : length(milliseconds);

const notOver = (why: string): Obstacle => ({
  reason: "WaitingPeriodNotOver",
  message: `the waiting period is not over: ${why}`,
});

const remedy = ({ kind }: PeriodQuestion): string =>
  kind === "deletion"
    ? ": let it run, or, if you know that the deletion date is past, set spec.deletion.confirmedDueAt to that date"
    : ": let it run";

/**
 * A confirmation of a date that is in the future by our clock, or before the end of the period, confirms
 * nothing.
 */
function isPast(confirmed: string | undefined, end: number, now: Date): boolean {
  const at = timeOf(confirmed);
  // Dates in a status have whole seconds.
  return at >= Math.floor(end / 1000) * 1000 && at <= now.getTime();
}
