import { conditionOf } from "../resources/conditions.ts";
import { passesByItself } from "../resources/passing-reasons.ts";
import type { KeyAlias, KeyGrant, MasterKey } from "../resources/resources.ts";
import type { KeyAliasStatus } from "../resources/schemas/key-alias.ts";
import type { KeyGrantStatus } from "../resources/schemas/key-grant.ts";
import type { MasterKeyStatus } from "../resources/schemas/master-key.ts";
import type { ResourceEvent } from "../store/events.ts";

/** Returns the events of a MasterKey, from the difference of its status. */
export function masterKeyEvents(before: MasterKey["status"], after: MasterKeyStatus): ResourceEvent[] {
  const events: ResourceEvent[] = [];
  if (before?.keyId === undefined && after.keyId !== undefined) {
    events.push({ type: "Normal", reason: "KeyIdAssigned", message: `keyId is ${after.keyId}` });
  }
  const version = after.currentVersion;
  if (version !== undefined && before?.currentVersion?.versionId !== version.versionId) {
    const message = `version ${version.number} is current, with key_id ${version.kmsKeyId}`;
    events.push({ type: "Normal", reason: "VersionPromoted", message });
  }
  if (before?.deletion !== undefined && after.deletion === undefined) {
    const message = `the deletion after ${before.deletion.deletionDate} is cancelled; the key is ${after.keyState ?? "there"}`;
    events.push({ type: "Normal", reason: "DeletionCancelled", message });
  }
  return [
    ...events,
    ...rotationEvents(before, after),
    ...changedCondition(before, after, "RotationOnTime", "False"),
    ...changedCondition(before, after, "Reencrypted", "False"),
    ...changedCondition(before, after, "Distributed", "False"),
    ...changedCondition(before, after, "Ready", "False"),
    ...changedCondition(before, after, "Imported", "False"),
    ...changedCondition(before, after, "MaterialExpiring", "True"),
    ...changedCondition(before, after, "DeletionBlocked", "True"),
    ...changedCondition(before, after, "Retention", "False"),
  ];
}

function rotationEvents(before: MasterKey["status"], after: MasterKeyStatus): ResourceEvent[] {
  const events: ResourceEvent[] = [];
  const { running, last } = after.rotation ?? {};
  if (running !== undefined && running.number !== before?.rotation?.running?.number) {
    const message = `the rotation to version ${running.number} began (${running.trigger})`;
    events.push({ type: "Normal", reason: "RotationBegan", message });
  }
  if (last !== undefined && last.number !== before?.rotation?.last?.number) {
    const proof = last.verified ? "a census found nothing under an older key_id" : "unverified";
    const message = `the rotation to version ${last.number} is complete: ${proof}`;
    events.push({ type: "Normal", reason: "RotationComplete", message });
  }
  const [was, is] = [before, after].map((status) => conditionOf(status?.conditions, "Reencrypted"));
  if (is?.status === "True" && was?.status !== "True") {
    events.push({ type: "Normal", reason: "Reencrypted", message: is.message });
  }
  // A rotation has its own event when it begins, and a state that needs somebody has its own warning.
  const isSame = before?.reencryption?.kmsKeyId === after.reencryption?.kmsKeyId;
  if (was?.status === "True" && is?.status === "False" && isSame && passesByItself(is.reason)) {
    const message = `what is stored is proven again, as API servers have changed: ${is.message}`;
    events.push({ type: "Normal", reason: "ProofTakenBack", message });
  }
  return events;
}

/** Returns the events of a KeyAlias. */
export function keyAliasEvents(before: KeyAlias["status"], after: KeyAliasStatus): ResourceEvent[] {
  const moved: ResourceEvent[] =
    after.masterKey !== undefined && before?.masterKey !== after.masterKey
      ? [
          {
            type: "Normal",
            reason: "Pointing",
            message: `the alias is served as MasterKey ${after.masterKey}`,
          },
        ]
      : [];
  return [...moved, ...changedCondition(before, after, "Ready", "False")];
}

/** Returns the events of a KeyGrant: that it was accepted, that it has ended, and why it is not accepted. */
export function keyGrantEvents(before: KeyGrant["status"], after: KeyGrantStatus): ResourceEvent[] {
  const ready = conditionOf(after.conditions, "Ready");
  const isNewPhase = after.phase !== undefined && after.phase !== before?.phase;
  if (isNewPhase && ready !== undefined && (ready.status === "True" || after.phase !== "Active"))
    return [{ type: "Normal", reason: ready.reason, message: ready.message }];
  return changedCondition(before, after, "Ready", "False");
}

type WithConditions = Pick<MasterKeyStatus, "conditions"> | undefined;

/** Returns a warning if a condition becomes False, or changes its reason while it is False. */
function changedCondition(
  before: WithConditions,
  after: WithConditions,
  type: string,
  bad: string,
): ResourceEvent[] {
  const condition = conditionOf(after?.conditions, type);
  if (condition?.status !== bad || passesByItself(condition.reason)) return [];
  const old = conditionOf(before?.conditions, type);
  if (old?.status === bad && old.reason === condition.reason) return [];
  return [{ type: "Warning", reason: condition.reason, message: condition.message }];
}
