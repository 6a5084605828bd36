import type { ReencryptionStatus } from "../../resources/schemas/reencryption.ts";
import type { RotationRecord } from "../../resources/schemas/rotation-status.ts";
import { type Sockets, socketsNotSettled, unreported } from "../reencryption/ground.ts";
import type { ReencryptionPlan } from "../reencryption/work.ts";

/** How a rotation ended. */
export type RotationOutcome = Pick<
  RotationRecord,
  "verified" | "objects" | "rounds" | "censusTime" | "censusRevision"
>;

/**
 * Whether a rotation to the current version is done, and proven: undefined while
 * it is not. Where nobody stores anything under the key, or nobody knows what, it
 * is done, unproven, once no API server can write under another key_id.
 */
export function rotationOutcome(
  kmsKeyId: string,
  sockets: Sockets,
  { status, finding }: Pick<ReencryptionPlan, "status" | "finding">,
): RotationOutcome | undefined {
  if (status !== undefined && finding?.status !== "Unknown") {
    return status.phase === "Complete" ? outcomeOf(status) : undefined;
  }
  // No API server has its EncryptionConfiguration: what was stored under the key is there, and waits.
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
