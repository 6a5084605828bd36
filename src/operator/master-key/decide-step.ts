import type { KeyId } from "../../crypto/ids.ts";
import { isVersionNumber, MAX_VERSION_NUMBER } from "../../keyring/version-number.ts";
import { firstFew } from "../../resources/first-few.ts";
import type { KeyVersion } from "../../resources/resources.ts";
import type { Trigger } from "../../resources/schemas/fields.ts";
import { promotionCandidate, versionsOf } from "../../resources/versions.ts";
import { hasExpired } from "../import/material-expiry.ts";
import type { NodeView } from "../nodes/node-view.ts";
import { differingRootKeys } from "../nodes/root-keys.ts";
import { describeNode, waitReason } from "../nodes/waiting-nodes.ts";
import type { RotationPlan } from "../rotation/decide-rotation.ts";
import { decideAdoption } from "./adoption.ts";
import type { Lack } from "./namespace-room.ts";
import type { ObservedMasterKey } from "./observed-master-key.ts";
import { nextNumber } from "./sound-rotation.ts";

/** A step forward, at most one; the status has the rest. */
export type MasterKeyStep =
  /** Adopts the versions that already name this MasterKey, after a restore or a re-creation. */
  | { readonly kind: "adopt"; readonly keyId: KeyId }
  | { readonly kind: "assignKeyId"; readonly keyId: KeyId }
  /**
   * Only records that a rotation begins. The version is created in the next pass, so that a crash in between
   * does not cause a second version.
   */
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

/** Decides at most one step forward of a key whose claims are sound. */
export function decideStep(
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

/**
 * Adopts only versions that the leader has recorded as this MasterKey's, because any KeyVersion can name it.
 */
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

/** The leading node stores a version within a moment, unless it does not open. */
function unchecked(versions: readonly KeyVersion[]): MasterKeyStep {
  const names = firstFew(
    versions.map(({ metadata }) => metadata.name),
    5,
  );
  const message = `KeyVersion ${names} names this MasterKey and is not in the leader's keyring yet: if its KeyServer says that it does not open, delete it`;
  return { kind: "wait", reason: "VersionsUnchecked", message };
}

const NUMBERS_EXHAUSTED: MasterKeyStep = {
  kind: "wait",
  reason: "NumbersExhausted",
  message: `a version has number ${MAX_VERSION_NUMBER}, the last that there can be: delete its KeyVersion if it does not open on the nodes, or make a new MasterKey`,
};

/** Only a key that has no version yet waits for room; existing keys continue. */
const noRoom = (lack: Lack | undefined): MasterKeyStep | undefined =>
  lack && { kind: "wait", reason: lack.reason, message: lack.message };

/**
 * A node that is silent or has not reported may hold versions of this very name, from before a restore, and
 * hand them back.
 */
function decideFreshKeyId(keyId: KeyId, nodes: readonly NodeView[]): MasterKeyStep {
  const silent = nodes.filter((node) => node.stale || node.unreported === true);
  if (silent.length === 0) return { kind: "assignKeyId", keyId };
  const message = `no keyId is given while a node may hold one: waiting for ${silent.map(describeNode).join(", ")}`;
  return { kind: "wait", reason: waitReason(silent), message };
}

/** Material is imported, and never generated (decide-import.ts). */
const PENDING_IMPORT: MasterKeyStep = {
  kind: "wait",
  reason: "PendingImport",
  message: "the key waits for its material to be imported: see the condition Imported",
};

/** If it was promoted, it would be refused at once, while the former version is still valid. */
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

/** Promoted only if every node has it: a node without it could not read the others' writes. */
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

const versionMissing = (current: number): string =>
  `version ${current} was current and its KeyVersion does not exist: the nodes bring it back from their keyrings; restore a backup if none has it`;
