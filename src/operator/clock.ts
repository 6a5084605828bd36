import { hostClock } from "../host-clock.ts";
import type { Log } from "../log.ts";
import { HOUR_MILLISECONDS } from "../times.ts";

/** The time for schedules and waiting periods. */
export interface Clock {
  now(): Date;
  /** The time that this machine shows, in epoch milliseconds: `now` without what a test lets pass. */
  wall(): number;
  /** Milliseconds since some moment, by a clock that never steps and that no test changes. */
  uptime(): number;
  /** The milliseconds that a test lets pass in addition. Always 0 outside tests. */
  ahead(): number;
  /** No timer is longer than this, in milliseconds. */
  readonly longestPause: number;
}

/** The system's clock, which a test may move by the file that CLAVIGER_TEST_CLOCK names (host-clock.ts). */
export function systemClock(file = process.env.CLAVIGER_TEST_CLOCK): Clock {
  const host = hostClock(file);
  return {
    now: () => new Date(host.wall() + host.ahead()),
    wall: () => host.wall(),
    uptime: () => performance.now(),
    ahead: () => host.ahead(),
    longestPause: file === undefined ? HOUR_MILLISECONDS : 500,
  };
}

/** Called once everything that remembers a time has read it: a test that sees the line may move the clock. */
export function warnOfTestClock(log: Log, file = process.env.CLAVIGER_TEST_CLOCK): void {
  if (file !== undefined) log("warn", `the clock is changed by what ${file} says: this is for tests only`);
}
