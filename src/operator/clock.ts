import { readFileSync } from "node:fs";
import type { Log } from "../log.ts";

/** What time it is for schedules and waiting periods. */
export interface Clock {
  now(): Date;
  /** No timer is longer than this, in milliseconds. */
  readonly longestPause: number;
}

const HOUR = 3_600_000;

/**
 * The system's clock. A test names a file in CLAVIGER_TEST_CLOCK with a number of
 * seconds to be ahead; schedules then see that time at once, Leases never do.
 */
export function systemClock(log: Log, file = process.env.CLAVIGER_TEST_CLOCK): Clock {
  if (file === undefined) return { now: () => new Date(), longestPause: HOUR };
  log("warn", `the clock is ahead by what ${file} says: this is for tests only`);
  return { now: () => new Date(Date.now() + secondsIn(file) * 1000), longestPause: 500 };
}

function secondsIn(file: string): number {
  const seconds = Number(readFileSync(file, "utf8"));
  if (Number.isNaN(seconds)) throw new Error(`CLAVIGER_TEST_CLOCK: ${file} holds no number`);
  return seconds;
}
