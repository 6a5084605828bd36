import { parseTime } from "../../times.ts";
import { nextCensus } from "../reencryption/census.ts";
import type { MasterKeyPlan } from "./decide-master-key.ts";
import type { MasterKeyStep } from "./decide-step.ts";

/** How soon to look again at a key that waits for a node: Leases run out without an event. */
export const WAITING_MILLISECONDS = 5_000;
/** How soon to look again at a key that waits for room in its namespace. */
const ROOM_MILLISECONDS = 60_000;
/**
 * Phases in which API servers are awaited, or in which their silence ends a claim: operators that report
 * about them fall silent without an event.
 */
const WATCHED_PHASES = new Set<string | undefined>(["Switching", "Verifying", "Complete"]);
/** How often the progress of a round is written. */
const PROGRESS_MILLISECONDS = 2_000;

export interface Pace {
  readonly longestPause: number;
  readonly censusInterval: number | undefined;
  /** How many MasterKeys there are. */
  readonly keys: number;
}

/** Returns after how many milliseconds to look at a key again, if no event says so sooner. */
export function nextLook(
  plan: MasterKeyPlan,
  { longestPause, censusInterval, keys }: Pace,
  now: Date,
): number {
  const { step, task, fields: status, waitsUntil } = plan;
  const times = [
    parseTime(status.rotation?.nextRotationTime),
    parseTime(status.reencryption?.nextRoundAt),
    waitsUntil?.getTime(),
    nextCensus(status.reencryption, censusInterval),
  ];
  const pauses = times.flatMap((time) =>
    time === undefined ? [] : Math.max(0, time - now.getTime()) + 1_000,
  );
  const waits = step.kind === "wait" || WATCHED_PHASES.has(status.reencryption?.phase);
  const crowd = status.currentVersion === undefined ? crowdOf(keys) : 1;
  return Math.min(
    longestPause,
    waits ? waitingPause(step) * crowd : longestPause,
    task.kind === "none" ? longestPause : PROGRESS_MILLISECONDS,
    ...pauses,
  );
}

/**
 * New keys that all wait for the same node are not all looked at every five seconds: a hundred per second are
 * enough.
 */
const crowdOf = (keys: number): number => Math.max(1, keys / 500);

/**
 * Leases run out without an event. Room in a namespace becomes free rarely, and thousands of keys may wait
 * for it.
 */
const waitingPause = (step: MasterKeyStep): number =>
  step.kind === "wait" && step.reason === "QuotaExceeded" ? ROOM_MILLISECONDS : WAITING_MILLISECONDS;
