export const HOUR_MILLISECONDS = 3_600_000;
export const DAY_MILLISECONDS = 24 * HOUR_MILLISECONDS;

/** RFC 3339, section 5.6: the letters in either case, a leap second, any offset. */
const RFC_3339 =
  /^(\d{4}-\d{2}-\d{2})t(\d{2}:\d{2}):(\d{2})(?:\.(\d{1,9}))?(z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/i;

/** The times that RFC 3339 can express in UTC, in epoch milliseconds. */
const EARLIEST = Date.parse("0000-01-01T00:00:00Z");
const LATEST = Date.parse("9999-12-31T23:59:59.999Z");

/**
 * Reads a time from outside, in epoch milliseconds. Returns undefined if it is missing or malformed. The
 * result is never NaN and never a date that cannot be written again.
 */
export function parseTime(text: string | undefined): number | undefined {
  const [, day, minute, second = "", fraction = "", zone = ""] = RFC_3339.exec(text ?? "") ?? [];
  if (day === undefined) return undefined;
  // JavaScript has no leap second, so it becomes the last moment of its minute.
  const leap = second === "60";
  const milliseconds = leap ? "999" : fraction.slice(0, 3).padEnd(3, "0");
  const iso = `${day}T${minute}:${leap ? "59" : second}.${milliseconds}${zone.toUpperCase()}`;
  const time = Date.parse(iso);
  return Number.isNaN(time) ? undefined : withinYears(time);
}

/** Reads a time, or NaN if it is malformed: every comparison with NaN is false. */
export const timeOf = (text: string | undefined): number => parseTime(text) ?? Number.NaN;

/** Formats a time as Kubernetes does: whole seconds, UTC. Total: times after the year 9999 become its end. */
export const rfc3339 = (time: Date): string => `${isoTime(time.getTime()).slice(0, 19)}Z`;

/** Formats a time to the millisecond. */
export const isoTime = (epochMilliseconds: number): string =>
  new Date(withinYears(epochMilliseconds)).toISOString();

/** NaN becomes the earliest time: a writer must not throw, and nobody takes year 0 for a real date. */
const withinYears = (time: number): number =>
  Number.isNaN(time) ? EARLIEST : Math.min(Math.max(time, EARLIEST), LATEST);
