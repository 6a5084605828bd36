import { timeOf } from "../times.ts";

/** A leader renews its Lease every few seconds, and clocks may differ by some seconds. */
const LEADER_SILENCE_MILLISECONDS = 120_000;

/**
 * Returns why no leader keeps the reports about stored data true, if so. `now` is by the API server's clock.
 */
export function leaderSilence(renewTime: string | undefined, now: number): string | undefined {
  if (Math.abs(now - timeOf(renewTime)) <= LEADER_SILENCE_MILLISECONDS) return undefined;
  const since = renewTime === undefined ? "" : ` since ${renewTime}`;
  return `no operator leads${since}, so the reports about stored data are old: start the operators, and see their logs`;
}
