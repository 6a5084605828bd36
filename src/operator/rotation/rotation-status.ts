import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import type { Trigger } from "../../resources/schemas/fields.ts";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";
import {
  MOST_ROTATIONS,
  MOST_SUPERSEDED,
  type RotationRecord,
  type RotationStatus,
} from "../../resources/schemas/rotation-status.ts";
import { rfc3339 } from "../../times.ts";
import type { RotationPlan } from "./decide-rotation.ts";
import type { RotationOutcome } from "./rotation-outcome.ts";

/** An event in a pass over a MasterKey that its rotation must remember. */
export type RotationEvent =
  | { readonly kind: "keyIdGiven" }
  | { readonly kind: "begun"; readonly trigger: Trigger; readonly token?: string; readonly number: number }
  | { readonly kind: "promoted"; readonly version: KeyVersion }
  | { readonly kind: "nothing" };

export interface RotationProgress {
  readonly plan: RotationPlan | undefined;
  readonly event: RotationEvent;
  /** How far stored data have followed the current version, if anything is stored under the key. */
  readonly phase: NonNullable<MasterKeyStatus["reencryption"]>["phase"] | undefined;
  /** Set while stored data have followed. */
  readonly outcome: RotationOutcome | undefined;
}

/** Returns `status.rotation` after a pass, or undefined for a key that never rotated and is not to. */
export function rotationStatusAfter(
  { spec, status }: MasterKey,
  progress: RotationProgress,
  now: Date,
): RotationStatus | undefined {
  const before = status?.rotation ?? {};
  // Only the plan sets the next time, if there is one.
  const { nextRotationTime: _, ...lasting } = before;
  const after = {
    ...(progress.plan === undefined ? before : lasting),
    ...progress.plan?.status,
    ...changes(before, status, spec, progress, now),
  };
  const kept = Object.fromEntries(Object.entries(after).filter(([, value]) => value !== undefined));
  const idle = spec.rotation === undefined && status?.rotation === undefined && after.running === undefined;
  return idle ? undefined : (kept as RotationStatus);
}

type Changes = { readonly [K in keyof RotationStatus]: RotationStatus[K] | undefined };

function changes(
  before: RotationStatus,
  status: MasterKey["status"],
  spec: MasterKey["spec"],
  { event, phase, outcome }: RotationProgress,
  now: Date,
): Changes {
  switch (event.kind) {
    case "keyIdGiven":
      // A key that is created, or created again, has nothing to rotate away from.
      return { handledToken: spec.rotation?.requestToken };
    case "begun":
      return begun(before, event, now);
    case "promoted":
      return promoted(before, status, event.version, now);
    case "nothing":
      return advanced(before, status, phase, outcome, now);
  }
}

function begun(
  before: RotationStatus,
  { trigger, token, number }: Extract<RotationEvent, { kind: "begun" }>,
  now: Date,
): Changes {
  const phase = "Distributing" as const;
  const running = { trigger, number, startedAt: rfc3339(now), phase, ...supersededBy(number, before) };
  if (token === undefined) return { running };
  return { running, handledToken: token, onDemandCount: (before.onDemandCount ?? 0) + 1 };
}

/** Returns the unfinished rotations, which this rotation ends too. */
function supersededBy(
  number: number,
  { running }: RotationStatus,
): Pick<NonNullable<RotationStatus["running"]>, "supersedes"> {
  if (running === undefined || running.number === number) return {};
  return { supersedes: [running.number, ...(running.supersedes ?? [])].slice(0, MOST_SUPERSEDED) };
}

function promoted(
  before: RotationStatus,
  status: MasterKey["status"],
  { spec: { number, origin }, status: known }: KeyVersion,
  now: Date,
): Changes {
  // The first version is no rotation. If the key was created again, its age continues.
  if (status?.currentVersion === undefined) return { clockStartedAt: known?.promotedAt ?? rfc3339(now) };
  const phase = "Switching";
  const { running } = before;
  if (running?.number === number) return { running: { ...running, phase } };
  const trigger = origin === "EXTERNAL" ? "Imported" : "Restored";
  const superseded = supersededBy(number, before);
  return { running: { trigger, number, startedAt: rfc3339(now), phase, ...superseded } };
}

/** The clock of the next rotation starts when this rotation is finished. */
function advanced(
  before: RotationStatus,
  status: MasterKey["status"],
  phase: RotationProgress["phase"],
  outcome: RotationProgress["outcome"],
  now: Date,
): Changes {
  const { running } = before;
  const current = status?.currentVersion;
  if (running === undefined) return followed(before, current?.number, outcome);
  if (current === undefined || current.number !== running.number) return {};
  if (outcome === undefined) {
    const reached = phase === undefined || phase === "Complete" ? "Switching" : phase;
    return { running: { ...running, phase: reached } };
  }
  const { phase: _, ...begun } = running;
  const completedAt = rfc3339(now);
  const last = { ...begun, completedAt, verified: outcome.verified };
  const failed = status?.reencryption?.failed;
  const record = {
    ...last,
    kmsKeyId: current.kmsKeyId,
    ...outcome,
    ...(failed !== undefined && failed > 0 && { failed }),
  };
  return { running: undefined, last, clockStartedAt: completedAt, history: withRecord(before, record) };
}

/** Records on a finished rotation what is proven now, including a later proof by a census. */
function followed(
  { last, history }: RotationStatus,
  current: number | undefined,
  outcome: RotationProgress["outcome"],
): Changes {
  const verified = outcome?.verified === true;
  if (last === undefined || last.number !== current || last.verified === verified) return {};
  const [latest, ...earlier] = history ?? [];
  const isOnRecord = verified && latest?.number === last.number && !latest.verified;
  return {
    last: { ...last, verified },
    ...(isOnRecord && { history: [{ ...latest, ...outcome }, ...earlier] }),
  };
}

const withRecord = ({ history = [] }: RotationStatus, record: RotationRecord): readonly RotationRecord[] =>
  [record, ...history].slice(0, MOST_ROTATIONS);
