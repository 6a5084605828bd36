import type { ReencryptionStatus } from "../../resources/schemas/reencryption.ts";
import { objectsText } from "../../storage/census/census-tally.ts";
import type { Round } from "../../storage/stored-objects.ts";
import { rfc3339, timeOf } from "../../times.ts";
import { leftText, straysFound, unfinished } from "./findings.ts";
import { notSettled, type Sockets, snapshotOf } from "./ground.ts";
import { NO_TASK, type ReencryptionPlan, type ReencryptionTask } from "./work.ts";

/** Objects that could not be written are retried after a minute, then two, four, eight. */
const FIRST_PAUSE = 60_000;
const LONGEST_PAUSE = 480_000;

/** The counter starts again at its limit: whoever wrote such a number must not stop the rounds. */
const nextRound = (round: number): number => (round < Number.MAX_SAFE_INTEGER ? round + 1 : 1);

/**
 * Starts at once the first time or if objects were only found, and after a pause if some could not be
 * written.
 */
export function beginRound(before: ReencryptionStatus, sockets: Sockets, now: Date): ReencryptionPlan {
  const { cursor: _, done: __, total: ___, ...rest } = before;
  const status = {
    ...withGround(rest, sockets),
    phase: "Reencrypting" as const,
    round: nextRound(before.round),
  };
  // If a census finds the same objects again after a settled round, somebody has to act on them.
  const stuck = (before.failed ?? 0) > 0 || (before.settledRound === true && before.round > 0);
  if (!stuck) return rewriting(withoutFailures(status));
  const pause = Math.min(FIRST_PAUSE * 2 ** Math.max(0, before.round - 1), LONGEST_PAUSE);
  return pausing({ ...status, nextRoundAt: rfc3339(new Date(now.getTime() + pause)) }, sockets, now);
}

/**
 * A census found objects under a key that was already proven. They are rewritten at once, because nothing was
 * tried with them yet, and reported by name.
 */
export function rewriteStrays(
  { provenSince: _, ...before }: ReencryptionStatus,
  sockets: Sockets,
  now: Date,
): ReencryptionPlan {
  const { failed: __, ...found } = before;
  const status = { ...found, settledRound: false, straysFoundTime: rfc3339(now) };
  const plan = beginRound(status, sockets, now);
  const { proof: ___, ...begun } = plan.status ?? status;
  return { ...plan, status: begun, finding: straysFound(status) };
}

export function pausing(status: ReencryptionStatus, sockets: Sockets, now: Date): ReencryptionPlan {
  const { nextRoundAt, ...rest } = status;
  if (nextRoundAt !== undefined && isAhead(nextRoundAt, now)) {
    const message = `${leftText(status)}; tried again at ${nextRoundAt}`;
    return { task: NO_TASK, status, finding: unfinished("ObjectsLeft", message) };
  }
  return rewriting(withoutFailures(withGround(rest, sockets)));
}

/**
 * Records the sockets on which a round begins. The round proves something by itself only if they are
 * unchanged when it ends.
 */
function withGround({ proof: _, ...status }: ReencryptionStatus, sockets: Sockets): ReencryptionStatus {
  const settledRound = notSettled(sockets, status.kmsKeyId).length === 0;
  return { ...status, settledRound, ...(settledRound && { proof: snapshotOf(sockets.switches) }) };
}

/** No pause is that long. A clock that was ahead for a while must not delay a round for years. */
function isAhead(time: string, now: Date): boolean {
  const ahead = timeOf(time) - now.getTime();
  return ahead > 0 && ahead <= LONGEST_PAUSE;
}

const withoutFailures = ({ failed: _, failures: __, ...status }: ReencryptionStatus): ReencryptionStatus =>
  status;

export function rewriting(status: ReencryptionStatus): ReencryptionPlan {
  const { done = 0, total } = status;
  const objects = total === undefined ? objectsText(done) : `${done} of ${objectsText(total)}`;
  const message = `${objects} written again under key_id ${status.kmsKeyId}, round ${status.round}`;
  return { task: rewriteTask(status), status, finding: unfinished("Reencrypting", message) };
}

/** A round from its beginning counts failures from 0. From a cursor, the earlier failures are kept. */
export function rewriteTask({
  resources,
  cursor,
  failed,
  failures = [],
}: ReencryptionStatus): ReencryptionTask {
  if (cursor === undefined) return { kind: "rewrite", resources };
  return {
    kind: "rewrite",
    resources,
    cursor,
    ...(failed !== undefined && { before: { failed, failures } }),
  };
}

export function progress(before: ReencryptionStatus, round: Round): ReencryptionStatus {
  const { cursor: _, secondsLeft: __, ratePerSecond: ___, failures: ____, ...rest } = before;
  const { failures, cursor, ...counts } = round;
  return { ...rest, ...counts, ...(cursor && { cursor }), ...(failures.length > 0 && { failures }) };
}
