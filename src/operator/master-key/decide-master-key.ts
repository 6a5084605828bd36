import { arnOf } from "../../keys/arn.ts";
import type { Finding } from "../../resources/conditions.ts";
import type { KeyVersion } from "../../resources/resources.ts";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";
import { kmsKeyIdOf, versionsOf } from "../../resources/versions.ts";
import { rfc3339 } from "../../times.ts";
import { decideReencryption } from "../reencryption/decide-reencryption.ts";
import type { ReencryptionPlan, ReencryptionTask } from "../reencryption/work.ts";
import { decideRotation, type RotationPlan } from "../rotation/decide-rotation.ts";
import { rotationOutcome } from "../rotation/rotation-outcome.ts";
import { type RotationEvent, rotationStatusAfter } from "../rotation/rotation-status.ts";
import type { StatusPart } from "./assemble-status.ts";
import { decideStep, type MasterKeyStep } from "./decide-step.ts";
import { distribution, keyState, readiness, withForeign } from "./key-findings.ts";
import type { ObservedMasterKey } from "./observed-master-key.ts";
import { withSoundRotation } from "./sound-rotation.ts";

/** One step of a MasterKey's life, and its part of the status: the step's own effect (keyId, currentVersion) included. */
export interface MasterKeyPlan extends StatusPart {
  readonly step: MasterKeyStep;
  /** The work on stored objects that must be in progress meanwhile. */
  readonly task: ReencryptionTask;
  /** When to decide again, if a requested rotation has to wait. */
  readonly waitsUntil?: Date;
}

/** Decides one step in the life of a MasterKey. */
export function decideMasterKey(claimed: ObservedMasterKey, now: Date): MasterKeyPlan {
  const observed = withSoundRotation(claimed);
  const rotation = rotationOf(observed, now);
  const step = decideStep(observed, rotation, now);
  const reencryption = decideReencryption(observed, now);
  const decided = { observed, step, rotation, reencryption };
  return {
    step,
    task: reencryption.task,
    ...partOf(decided, now),
    ...(rotation?.waitsUntil !== undefined && { waitsUntil: rotation.waitsUntil }),
  };
}

/** Only a key with a current version rotates. */
function rotationOf({ masterKey, versions, room }: ObservedMasterKey, now: Date): RotationPlan | undefined {
  const { keyId, currentVersion } = masterKey.status ?? {};
  if (keyId === undefined || currentVersion === undefined) return undefined;
  return decideRotation(masterKey, now, { own: versionsOf(keyId, versions), ...(room && { room }) });
}

interface Decided {
  readonly observed: ObservedMasterKey;
  readonly step: MasterKeyStep;
  readonly rotation: RotationPlan | undefined;
  readonly reencryption: ReencryptionPlan;
}

function partOf(decided: Decided, now: Date): StatusPart {
  const { observed, step, rotation, reencryption } = decided;
  const { masterKey } = observed;
  const before = masterKey.status;
  const keyId = step.kind === "adopt" || step.kind === "assignKeyId" ? step.keyId : before?.keyId;
  const currentVersion = step.kind === "promote" ? promoted(step.version, now) : before?.currentVersion;
  const rotationStatus = rotationStatusOf(decided, now);
  const findings: (Finding | undefined)[] = [
    readiness(masterKey, currentVersion, step),
    withForeign(distribution(step), observed),
    rotationStatus && rotation?.finding,
    reencryption.finding,
  ];
  return {
    fields: {
      observedGeneration: masterKey.metadata.generation,
      ...(keyId !== undefined && { keyId, arn: arnOf(observed, keyId, before?.arn) }),
      keyState: keyState(masterKey, currentVersion),
      currentVersion,
      rotation: rotationStatus,
      reencryption: reencryption.status,
    },
    findings: findings.filter((finding) => finding !== undefined),
  };
}

function rotationStatusOf({ observed, step, rotation, reencryption }: Decided, now: Date) {
  const { masterKey } = observed;
  const kmsKeyIdNow = masterKey.status?.currentVersion?.kmsKeyId ?? "";
  const progress = {
    plan: rotation,
    event: rotationEvent(step),
    phase: reencryption.status?.phase,
    outcome: rotationOutcome(kmsKeyIdNow, observed, reencryption),
  };
  return rotationStatusAfter(masterKey, progress, now);
}

function rotationEvent(step: MasterKeyStep): RotationEvent {
  switch (step.kind) {
    case "adopt":
    case "assignKeyId":
      return { kind: "keyIdGiven" };
    case "beginRotation":
      return { ...step, kind: "begun" };
    case "promote":
      return { kind: "promoted", version: step.version };
    default:
      return { kind: "nothing" };
  }
}

function promoted(version: KeyVersion, now: Date): NonNullable<MasterKeyStatus["currentVersion"]> {
  return {
    number: version.spec.number,
    versionId: version.spec.versionId,
    kmsKeyId: kmsKeyIdOf(version),
    promotedAt: rfc3339(now),
  };
}
