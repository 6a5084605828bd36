import { DAY_MILLISECONDS, HOUR_MILLISECONDS, timeOf } from "../../times.ts";

const MINUTE = 60_000;

/** Renders a duration in one unit: "40 s", "3 min", "5 h", "12 days". */
export function durationText(milliseconds: number): string {
  if (milliseconds < 2 * MINUTE) return `${Math.round(milliseconds / 1000)} s`;
  if (milliseconds < 2 * HOUR_MILLISECONDS) return `${Math.round(milliseconds / MINUTE)} min`;
  if (milliseconds < 2 * DAY_MILLISECONDS) return `${Math.round(milliseconds / HOUR_MILLISECONDS)} h`;
  return `${Math.round(milliseconds / DAY_MILLISECONDS)} days`;
}

/** Renders a time by its distance from now: "3 min ago", "in 12 days"; a malformed time as it is. */
export function distanceText(time: string, now: number): string {
  const milliseconds = timeOf(time) - now;
  if (Number.isNaN(milliseconds)) return time;
  return milliseconds < 0 ? `${durationText(-milliseconds)} ago` : `in ${durationText(milliseconds)}`;
}
