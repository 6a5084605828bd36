import type { ReencryptionStatus } from "../../resources/schemas/reencryption.ts";
import type { StoredCount } from "../../storage/stored-objects.ts";
import { rfc3339, timeOf } from "../../times.ts";
import { completed } from "./findings.ts";
import { type Sockets, sameSnapshot, snapshotOf } from "./ground.ts";
import { beginRound, rewriteStrays } from "./rounds.ts";
import { NO_TASK, type ObservedReencryption, type ReencryptionPlan, type ReencryptionTask } from "./work.ts";

/** How often complete data are counted again. */
export const CENSUS_MILLISECONDS = 3_600_000;

export const countTask = ({ resources }: ReencryptionStatus, { switches }: Sockets): ReencryptionTask => ({
  kind: "count",
  resources,
  ground: snapshotOf(switches),
});

/**
 * Returns the finished count, or undefined if there is none. A count is void if a socket of the key was
 * added, removed or changed after the count began: its API server may have written under an older key_id.
 */
export function countOf({ work, switches }: ObservedReencryption): StoredCount | undefined {
  const isSame = work.kind === "counted" && sameSnapshot(work.ground, snapshotOf(switches));
  return isSame ? work.found : undefined;
}

export function counted(
  before: ReencryptionStatus,
  found: StoredCount,
  sockets: Sockets,
  now: Date,
): ReencryptionPlan {
  const { strays: _, ...rest } = before;
  const census = {
    remaining: found.remaining,
    lastCensusTime: rfc3339(now),
    lastCensusRevision: found.revision,
  };
  if (found.remaining === 0) {
    // Strays that were found once stay on record, because somebody may look a day later.
    const record = before.straysFoundTime !== undefined && before.strays && { strays: before.strays };
    const provenSince = before.provenSince ?? rfc3339(now);
    return decideComplete({ ...rest, ...record, ...census, provenSince }, true, sockets, now);
  }
  const { completedAt: __, proof: ___, ...status } = { ...rest, ...census, strays: found.strays };
  const unverified = { ...status, verified: false };
  return before.provenSince === undefined
    ? beginRound(unverified, sockets, now)
    : rewriteStrays(unverified, sockets, now);
}

export function withoutCensus(before: ReencryptionStatus, sockets: Sockets, now: Date): ReencryptionPlan {
  // A round has not seen the objects that an API server, restarted meanwhile, stored behind its cursor.
  const isSame = sameSnapshot(before.proof, snapshotOf(sockets.switches));
  const settledRound = before.settledRound === true && isSame;
  const isClean = settledRound && (before.failed ?? 0) === 0;
  return isClean
    ? decideComplete(before, false, sockets, now)
    : beginRound({ ...before, settledRound }, sockets, now);
}

function decideComplete(
  before: ReencryptionStatus,
  verified: boolean,
  { switches }: Sockets,
  now: Date,
): ReencryptionPlan {
  const { cursor: _, nextRoundAt: __, secondsLeft: ___, failed: ____, failures: _____, ...rest } = before;
  return complete({
    ...rest,
    phase: "Complete",
    verified,
    completedAt: before.completedAt ?? rfc3339(now),
    proof: snapshotOf(switches),
  });
}

export function isCensusDue(
  { lastCensusTime }: ReencryptionStatus,
  observed: ObservedReencryption,
  now: Date,
): boolean {
  const age = now.getTime() - timeOf(lastCensusTime);
  const { censusInterval = CENSUS_MILLISECONDS } = observed;
  // A time in the future was written by a clock that was ahead.
  return !(age >= 0 && age < censusInterval);
}

/** Returns when the next census of complete data is due, if it is. */
export function nextCensus(
  status: ReencryptionStatus | undefined,
  interval = CENSUS_MILLISECONDS,
): number | undefined {
  if (status?.phase !== "Complete" || status.lastCensusTime === undefined) return undefined;
  return timeOf(status.lastCensusTime) + interval;
}

export const complete = (status: ReencryptionStatus): ReencryptionPlan => ({
  task: NO_TASK,
  status,
  finding: completed(status),
});

/**
 * Withdraws the proof. It must be proven again: by a census, or without one by another round that begins
 * after the sure proof.
 */
export function withdrawn({ completedAt: _, proof: __, ...status }: ReencryptionStatus): ReencryptionStatus {
  return { ...status, phase: "Verifying", verified: false, settledRound: false };
}
