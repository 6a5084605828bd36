import type { KeyId } from "../../crypto/ids.ts";
import { isVersionNumber, MAX_VERSION_NUMBER } from "../../keyring/version-number.ts";
import { type Finding, withFindings } from "../../resources/conditions.ts";
import { firstFew } from "../../resources/first-few.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import type { Trigger } from "../../resources/schemas/fields.ts";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";
import { kmsKeyIdOf, promotionCandidate, versionsOf } from "../../resources/versions.ts";
import { rfc3339 } from "../../times.ts";
import { hasExpired } from "../import/material-expiry.ts";
import type { NodeView } from "../nodes/node-view.ts";
import { differingRootKeys } from "../nodes/root-keys.ts";
import { describeNode, waitReason } from "../nodes/waiting-nodes.ts";
import { decideReencryption } from "../reencryption/decide-reencryption.ts";
import type { Switch } from "../reencryption/switches.ts";
import type { ReencryptionPlan, ReencryptionTask, Work } from "../reencryption/work.ts";
import { decideRotation, type RotationPlan } from "../rotation/decide-rotation.ts";
import { rotationOutcome } from "../rotation/rotation-outcome.ts";
import { type RotationEvent, rotationStatusAfter } from "../rotation/rotation-status.ts";
import { decideAdoption, foreignVersions, type HeldKey } from "./adoption.ts";
import type { Lack, Room } from "./namespace-room.ts";

export interface ObservedMasterKey {
  readonly masterKey: MasterKey;
  /** All KeyVersions, of all keys. */
  readonly versions: readonly KeyVersion[];
  readonly nodes: readonly NodeView[];
  /** Under what the leader's own keyring encrypts for this name: its versions may be on their way back. */
  readonly held?: HeldKey;
  /** Names of those of `versions` that the leader's own keyring does not have yet. */
  readonly unrecorded?: ReadonlySet<string>;
  /** The keyIds that the leader's own keyring has left for this name: none is gone back to. */
  readonly left?: ReadonlySet<string>;
  /** The sockets that serve the key. */
  readonly switches: readonly Switch[];
  /** Living API servers of which no KeyServer tells, by their identity. */
  readonly unclaimed?: readonly string[];
  /** What works on its stored objects. */
  readonly work: Work;
  /** Whether this operator reaches stored objects, and can count what etcd holds. */
  readonly reachable: boolean;
  readonly census: boolean;
  /** How often what is complete is counted again, in milliseconds; an hour if left out. */
  readonly censusInterval?: number;
  /** What the key's namespace has no room for. */
  readonly room: Room;
  /** Random, for a key that has no keyId yet. */
  readonly freshKeyId: KeyId;
  /** `arn:aws:kms:<region>:<account>:key/` */
  readonly arnPrefix: string;
  /** The time by which material expires, if that is not `now`. */
  readonly expiryNow?: Date | undefined;
}

/** At most one step forward; the status says the rest. */
export type MasterKeyStep =
  /** Take on the versions that name this MasterKey already: a restore or a re-creation. */
  | { readonly kind: "adopt"; readonly keyId: KeyId }
  | { readonly kind: "assignKeyId"; readonly keyId: KeyId }
  /** Only writes down that it begins: the version is made on the next pass, so that a crash between asks for no second one. */
  | {
      readonly kind: "beginRotation";
      readonly trigger: Trigger;
      readonly token?: string;
      readonly number: number;
    }
  | { readonly kind: "createVersion"; readonly keyId: KeyId; readonly number: number }
  | { readonly kind: "promote"; readonly version: KeyVersion }
  | { readonly kind: "wait"; readonly reason: string; readonly message: string }
  | { readonly kind: "settled" };

export interface MasterKeyPlan {
  readonly step: MasterKeyStep;
  /** What is to be going on with stored objects meanwhile. */
  readonly task: ReencryptionTask;
  /** The status to write, the step's own effect (keyId, currentVersion) included. */
  readonly status: MasterKeyStatus;
  /** When to decide anew, if a rotation that was asked for waits for that time. */
  readonly waitsUntil?: Date;
}

/** Decides one step of a MasterKey's life. */
export function decideMasterKey(claimed: ObservedMasterKey, now: Date): MasterKeyPlan {
  const observed = withSoundClaims(claimed);
  const rotates =
    observed.masterKey.status?.currentVersion !== undefined && observed.masterKey.status.keyId !== undefined;
  const own = versionsOf(observed.masterKey.status?.keyId, observed.versions);
  const context = { own, ...(observed.room && { room: observed.room }) };
  const rotation = rotates ? decideRotation(observed.masterKey, now, context) : undefined;
  const step = decideStep(observed, rotation, now);
  const reencryption = decideReencryption(observed, now);
  return {
    step,
    task: reencryption.task,
    status: statusAfter({ observed, step, rotation, reencryption }, now),
    ...(rotation?.waitsUntil !== undefined && { waitsUntil: rotation.waitsUntil }),
  };
}

function decideStep(
  observed: ObservedMasterKey,
  rotation: RotationPlan | undefined,
  now: Date,
): MasterKeyStep {
  const { masterKey, versions, nodes, room, unrecorded } = observed;
  const keyId = masterKey.status?.keyId;
  if (keyId === undefined) return decideKeyId(observed);
  const current = masterKey.status?.currentVersion;
  const known = versionsOf(keyId, versions);
  const there = current !== undefined && known.some(({ spec }) => spec.versionId === current.versionId);
  const next = nextNumber(known);
  if (there && rotation?.begin) {
    if (!isVersionNumber(next)) return NUMBERS_EXHAUSTED;
    return { kind: "beginRotation", ...rotation.begin, number: next };
  }
  const running = masterKey.status?.rotation?.running?.number;
  if (there && running === next && isVersionNumber(next)) return decideCreation(keyId as KeyId, next, nodes);
  const candidate = promotionCandidate(masterKey, versions);
  if (candidate !== undefined && hasExpired(candidate, observed.expiryNow ?? now))
    return expiredBefore(candidate);
  if (candidate !== undefined) {
    const step = decidePromotion(candidate, nodes);
    const isUnchecked = step.kind === "promote" && unrecorded?.has(candidate.metadata.name) === true;
    return isUnchecked ? unchecked([candidate]) : step;
  }
  if (current === undefined && masterKey.spec.origin === "EXTERNAL") return PENDING_IMPORT;
  if (current === undefined) return noRoom(room.firstVersion) ?? decideCreation(keyId as KeyId, 1, nodes);
  return there
    ? { kind: "settled" }
    : { kind: "wait", reason: "VersionsMissing", message: versionMissing(current.number) };
}

/** Only versions that the leader has on record as this MasterKey's are adopted: any KeyVersion can name it. */
function decideKeyId({
  masterKey,
  versions,
  nodes,
  held,
  left,
  room,
  unrecorded,
  freshKeyId,
}: ObservedMasterKey): MasterKeyStep {
  const candidates = versions.filter(({ spec }) => left?.has(spec.keyId) !== true);
  const recorded = candidates.filter(({ metadata }) => unrecorded?.has(metadata.name) !== true);
  const adoption = decideAdoption(masterKey, recorded, held);
  if (adoption.kind === "adopt") return adoption;
  if (adoption.kind === "refused")
    return { kind: "wait", reason: "KeySpecDiffers", message: adoption.message };
  const waitsFor = candidates.filter(({ metadata }) => unrecorded?.has(metadata.name));
  if (waitsFor.length > 0) return unchecked(waitsFor);
  return noRoom(room.newKey) ?? decideFreshKeyId(freshKeyId, nodes);
}

/** The node that leads stores a version within a moment, unless it does not open. */
function unchecked(versions: readonly KeyVersion[]): MasterKeyStep {
  const names = firstFew(
    versions.map(({ metadata }) => metadata.name),
    5,
  );
  const message = `KeyVersion ${names} names this MasterKey and is not in the leader's keyring yet: if its KeyServer says that it does not open, delete it`;
  return { kind: "wait", reason: "VersionsUnchecked", message };
}

/** Only the versions tell it: what status claims may be anybody's. */
const nextNumber = (known: readonly KeyVersion[]): number => (known.at(-1)?.spec.number ?? 0) + 1;

const NUMBERS_EXHAUSTED: MasterKeyStep = {
  kind: "wait",
  reason: "NumbersExhausted",
  message: `a version has number ${MAX_VERSION_NUMBER}, the last that there can be: delete its KeyVersion if it does not open on the nodes, or make a new MasterKey`,
};

/**
 * The MasterKey without a running rotation that the versions contradict: one to a number
 * before the current one or past the next one. It would never end, and its number is not believed.
 */
function withSoundClaims(observed: ObservedMasterKey): ObservedMasterKey {
  const { masterKey, versions } = observed;
  const running = masterKey.status?.rotation?.running;
  if (masterKey.status?.keyId === undefined || running === undefined) return observed;
  const known = versionsOf(masterKey.status.keyId, versions);
  const current = masterKey.status.currentVersion;
  const there = known.some(({ spec }) => spec.versionId === current?.versionId);
  // Versions that are on their way back may make it true again.
  const isSound = running.number >= (current?.number ?? 0) && running.number <= nextNumber(known);
  if (!there || isSound) return observed;
  const { running: _, ...rotation } = masterKey.status.rotation ?? {};
  return { ...observed, masterKey: { ...masterKey, status: { ...masterKey.status, rotation } } };
}

/** Only a key that has no version yet waits for room: one that exists goes on. */
const noRoom = (lack: Lack | undefined): MasterKeyStep | undefined =>
  lack && { kind: "wait", reason: lack.reason, message: lack.message };

/** A node that is silent or has not reported may hold versions of this very name, from before a restore, and bring them back. */
function decideFreshKeyId(keyId: KeyId, nodes: readonly NodeView[]): MasterKeyStep {
  const silent = nodes.filter((node) => node.stale || node.unreported === true);
  if (silent.length === 0) return { kind: "assignKeyId", keyId };
  const message = `no keyId is given while a node may hold one: waiting for ${silent.map(describeNode).join(", ")}`;
  return { kind: "wait", reason: waitReason(silent), message };
}

/** Material is imported, and never made (decide-import.ts). */
const PENDING_IMPORT: MasterKeyStep = {
  kind: "wait",
  reason: "PendingImport",
  message: "the key waits for its material to be imported: see the condition Imported",
};

/** Promoted, it would be refused at once, and the one before is still good. */
const expiredBefore = ({ spec }: KeyVersion): MasterKeyStep => ({
  kind: "wait",
  reason: "MaterialExpired",
  message: `version ${spec.number} expired at ${spec.validTo} before every node had it: import the same material again with a later validTo, or other material as NEW_KEY_MATERIAL`,
});

function decideCreation(keyId: KeyId, number: number, nodes: readonly NodeView[]): MasterKeyStep {
  const message = differingRootKeys(nodes);
  if (message !== undefined) return { kind: "wait", reason: "RootKeysDiffer", message };
  return { kind: "createVersion", keyId, number };
}

/** Promoted only when every node has it: a node without it could not read what the others write. */
function decidePromotion(candidate: KeyVersion, nodes: readonly NodeView[]): MasterKeyStep {
  const what = `version ${candidate.spec.number}`;
  if (nodes.length === 0) {
    return {
      kind: "wait",
      reason: "NoKeyServers",
      message: `${what} waits for a node: no KeyServer has reported yet; start an operator, and see its log`,
    };
  }
  const lacking = nodes.filter((node) => node.stale || !node.prepared.has(candidate.spec.versionId));
  if (lacking.length === 0) return { kind: "promote", version: candidate };
  const has = nodes.length - lacking.length;
  const names = lacking.map(describeNode).join(", ");
  return {
    kind: "wait",
    reason: waitReason(lacking),
    message: `${what} is on ${has} of ${nodes.length} nodes; waiting for ${names}`,
  };
}

interface Decided {
  readonly observed: ObservedMasterKey;
  readonly step: MasterKeyStep;
  readonly rotation: RotationPlan | undefined;
  readonly reencryption: ReencryptionPlan;
}

function statusAfter(decided: Decided, now: Date): MasterKeyStatus {
  const { observed, step, rotation, reencryption } = decided;
  const { masterKey, arnPrefix } = observed;
  const before = masterKey.status;
  const keyId = step.kind === "adopt" || step.kind === "assignKeyId" ? step.keyId : before?.keyId;
  const currentVersion = step.kind === "promote" ? promoted(step.version, now) : before?.currentVersion;
  const rotationStatus = rotationStatusOf(decided, now);
  const findings = [
    readiness(masterKey, currentVersion, step),
    withForeign(distribution(step), observed),
    ...(rotation !== undefined && rotationStatus !== undefined ? [rotation.finding] : []),
    ...(reencryption.finding !== undefined ? [reencryption.finding] : []),
  ];
  return {
    observedGeneration: masterKey.metadata.generation,
    ...(keyId !== undefined && { keyId, arn: arnPrefix + keyId }),
    keyState: keyState(masterKey, currentVersion),
    ...(currentVersion !== undefined && { currentVersion }),
    ...(rotationStatus !== undefined && { rotation: rotationStatus }),
    ...(reencryption.status !== undefined && { reencryption: reencryption.status }),
    conditions: withFindings(before?.conditions, findings, masterKey.metadata.generation, now),
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

/** The status of a plan whose version could not be made. */
export function statusWithoutVersion(
  { metadata: { generation }, spec }: MasterKey,
  { status, step }: MasterKeyPlan,
  why: string,
  now: Date,
): MasterKeyStatus {
  const which = step.kind === "createVersion" ? `version ${step.number}` : "the version";
  const reason = "VersionNotMade";
  const message = `${which} could not be made and is tried again: ${why}`;
  const findings: Finding[] = [{ type: "Distributed", status: "False", reason, message }];
  if (spec.enabled && status.currentVersion === undefined)
    findings.push({ type: "Ready", status: "False", reason, message });
  return { ...status, conditions: withFindings(status.conditions, findings, generation, now) };
}

type CurrentVersion = MasterKeyStatus["currentVersion"];

function keyState(masterKey: MasterKey, current: CurrentVersion): NonNullable<MasterKeyStatus["keyState"]> {
  if (!masterKey.spec.enabled) return "Disabled";
  return current === undefined ? "Creating" : "Enabled";
}

function readiness(masterKey: MasterKey, current: CurrentVersion, step: MasterKeyStep): Finding {
  if (!masterKey.spec.enabled) {
    const message = "spec.enabled is false: nothing encrypts or decrypts under this key until it is true";
    return { type: "Ready", status: "False", reason: "Disabled", message };
  }
  if (current === undefined) {
    const waiting =
      step.kind === "wait" ? step : { reason: "Creating", message: "the first version is being made" };
    return { type: "Ready", status: "False", reason: waiting.reason, message: waiting.message };
  }
  const message = `version ${current.number} encrypts, with key_id ${current.kmsKeyId}`;
  return { type: "Ready", status: "True", reason: "VersionCurrent", message };
}

/** Versions that only name the key are said to be none of its, unless that is the finding itself. */
function withForeign(finding: Finding, { masterKey, versions }: ObservedMasterKey): Finding {
  const foreign = foreignVersions(masterKey, versions);
  if (foreign === undefined || finding.reason === "KeySpecDiffers") return finding;
  return { ...finding, message: `${finding.message}; ${foreign}` };
}

function distribution(step: MasterKeyStep): Finding {
  switch (step.kind) {
    case "wait":
      return { type: "Distributed", status: "False", reason: step.reason, message: step.message };
    case "promote":
    case "settled":
      return {
        type: "Distributed",
        status: "True",
        reason: "OnEveryNode",
        message: "the newest version was on every node when it was promoted",
      };
    case "adopt":
    case "assignKeyId":
    case "beginRotation":
    case "createVersion":
      return {
        type: "Distributed",
        status: "False",
        reason: "Creating",
        message: "the newest version is not on the nodes yet",
      };
  }
}

const versionMissing = (current: number): string =>
  `version ${current} was current and its KeyVersion does not exist: the nodes bring it back from their keyrings; restore a backup if none has it`;
