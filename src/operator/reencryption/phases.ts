import type { ReencryptionStatus } from "../../resources/schemas/reencryption.ts";
import { objectsText } from "../../storage/census/census-tally.ts";
import { complete, counted, countOf, countTask, isCensusDue, withdrawn, withoutCensus } from "./census.ts";
import { completed, unfinished } from "./findings.ts";
import { notSettled, notSwitched, reasonOf, type Sockets, textOf, unaccountedFor } from "./ground.ts";
import { beginRound, pausing, progress, rewriteTask, rewriting } from "./rounds.ts";
import { scopeObstacle } from "./scope-obstacle.ts";
import {
  anew,
  NO_TASK,
  type ObservedReencryption,
  type ReencryptionPlan,
  type ReencryptionTask,
} from "./work.ts";

type Phase = (before: ReencryptionStatus, observed: ObservedReencryption, now: Date) => ReencryptionPlan;

export const phases: Readonly<Record<ReencryptionStatus["phase"], Phase>> = {
  Switching: (before, observed, now) => {
    const obstacle = scopeObstacle(observed);
    if (obstacle !== undefined) return waits(before, obstacle.reason, obstacle.message);
    const awaited = notSwitched(observed, before.kmsKeyId);
    if (awaited.length === 0) return beginRound(before, observed, now);
    const message = `waiting for the API servers behind ${textOf(awaited)} to encrypt under key_id ${before.kmsKeyId}`;
    return waits(before, reasonOf(awaited, "Switching"), message);
  },
  Reencrypting: (before, observed, now) => {
    const { work } = observed;
    // Nothing may be written that an API server cannot read: one that does not follow, or that is being
    // removed from claviger.
    const obstacle = scopeObstacle(observed);
    if (obstacle !== undefined) return waits(anew(before, now), obstacle.reason, obstacle.message);
    const silent = unaccountedFor(observed);
    if (silent.length > 0) {
      const message = `nothing is written again until this passes: ${textOf(silent)}`;
      return waits(before, reasonOf(silent, "Reencrypting"), message);
    }
    if (before.nextRoundAt !== undefined) return pausing(before, observed, now);
    if (work.kind === "failed") return failing(before, rewriteTask(before), "RewriteFailed", work.message);
    if (work.kind !== "rewriting" && work.kind !== "rewritten") return rewriting(before);
    const status = progress(before, work.round);
    return work.kind === "rewritten"
      ? verify({ ...status, phase: "Verifying" }, observed)
      : rewriting(status);
  },
  Verifying: (before, observed, now) => {
    const { work, census } = observed;
    const waiting = unproven(before, observed);
    if (waiting !== undefined) return waiting;
    if (!census) return withoutCensus(before, observed, now);
    if (work.kind === "failed")
      return failing(before, countTask(before, observed), "CensusFailed", work.message);
    const found = countOf(observed);
    return found === undefined ? verify(before, observed) : counted(before, found, observed, now);
  },
  Complete: (before, observed, now) => {
    const canProve = observed.census && observed.masterKey.spec.enabled;
    // This operator can prove more than the operator that completed it.
    if (canProve && !before.verified) return phases.Verifying(withdrawn(before), observed, now);
    if (!canProve || !isCensusDue(before, observed, now)) return complete(before);
    const found = countOf(observed);
    if (found !== undefined) return counted(before, found, observed, now);
    const { work } = observed;
    const flaw =
      work.kind === "failed" ? `the census that is due fails and is tried again: ${work.message}` : undefined;
    return { task: countTask(before, observed), status: before, finding: completed(before, flaw) };
  },
};

/** Returns why nothing can be proven yet, if so. */
function unproven(status: ReencryptionStatus, sockets: Sockets): ReencryptionPlan | undefined {
  const obstacle = scopeObstacle(sockets);
  if (obstacle !== undefined) return waits(status, obstacle.reason, obstacle.message);
  const waiting = notSettled(sockets, status.kmsKeyId);
  if (waiting.length === 0) return undefined;
  const message = `${objectsText(status.done ?? 0)} written again; waiting until the API servers behind ${textOf(waiting)} can write under no other key_id (four minutes)`;
  return waits(status, reasonOf(waiting, "Verifying"), message);
}

/** The census is taken once nothing can be written under another key_id any more. */
function verify(status: ReencryptionStatus, sockets: Sockets): ReencryptionPlan {
  const finding = unfinished("Verifying", "counting what etcd holds under which key_id");
  return unproven(status, sockets) ?? { task: countTask(status, sockets), status, finding };
}

/** Does nothing, and says why. */
const waits = (status: ReencryptionStatus, reason: string, message: string): ReencryptionPlan => ({
  task: NO_TASK,
  status,
  finding: unfinished(reason, message),
});

/** Reports the failure and retries: nothing counts as done. */
const failing = (
  status: ReencryptionStatus,
  task: ReencryptionTask,
  reason: string,
  message: string,
): ReencryptionPlan => ({ task, status, finding: unfinished(reason, message) });
