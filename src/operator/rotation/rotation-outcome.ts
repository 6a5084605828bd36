import type { ReencryptionStatus } from "../../resources/schemas/reencryption.ts";
import type { RotationRecord } from "../../resources/schemas/rotation-status.ts";
import { type Sockets, socketsNotSettled, unreported } from "../reencryption/ground.ts";
import type { ReencryptionPlan } from "../reencryption/work.ts";

/** The outcome of a rotation. */
export type RotationOutcome = Pick<
  RotationRecord,
  "verified" | "objects" | "rounds" | "censusTime" | "censusRevision"
>;

/**
 * Returns the outcome of a rotation to the current version, or undefined while it is not finished and proven.
 * If nobody stores anything under the key, or nobody knows what, it is finished, unproven, once no API server
 * can write under another key_id.
 */
export function rotationOutcome(
  kmsKeyId: string,
  sockets: Sockets,
  { status, finding }: Pick<ReencryptionPlan, "status" | "finding">,
): RotationOutcome | undefined {
  if (status !== undefined && finding?.status !== "Unknown") {
    return status.phase === "Complete" ? outcomeOf(status) : undefined;
  }
  // No API server has its EncryptionConfiguration: the objects stored under the key still exist, and wait.
  if (finding?.status === "False") return undefined;
  const awaited = [...socketsNotSettled(sockets, kmsKeyId), ...unreported(sockets)];
  return awaited.length === 0 ? { verified: false } : undefined;
}

function outcomeOf(status: ReencryptionStatus): RotationOutcome {
  const { verified, done, round, lastCensusTime, lastCensusRevision } = status;
  return {
    verified,
    rounds: round,
    ...(done !== undefined && { objects: done }),
    ...(verified && lastCensusTime !== undefined && { censusTime: lastCensusTime }),
    ...(verified && lastCensusRevision !== undefined && { censusRevision: lastCensusRevision }),
  };
}
