import { HOUR_MILLISECONDS } from "./times.ts";

/** The time for schedules and waiting periods. */
export interface Clock {
  now(): Date;
  /**
   * Returns the time that this machine shows, in epoch milliseconds. Other machines compare it with theirs.
   */
  wall(): number;
  /** Returns the milliseconds of a monotonic clock: setting the machine's time does not change it. */
  uptime(): number;
  /**
   * Returns milliseconds that have passed in addition to those of `wall` and `uptime`: a test lets months
   * pass.
   */
  ahead(): number;
  /** The longest timer, in milliseconds. */
  readonly longestPause: number;
}

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => new Date(),
  wall: () => Date.now(),
  uptime: () => performance.now(),
  ahead: () => 0,
  longestPause: HOUR_MILLISECONDS,
};
