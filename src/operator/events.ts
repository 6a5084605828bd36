import type { KeyAlias, KeyAliasStatus, MasterKey, MasterKeyStatus } from "../kube/resources.ts";
import { conditionOf } from "./conditions.ts";
import type { ResourceEvent } from "./resource-store.ts";

/** What happened to a MasterKey, read off the difference of its status. */
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
  return [
    ...events,
    ...changedCondition(before, after, "Distributed", "False"),
    ...changedCondition(before, after, "Ready", "False"),
    ...changedCondition(before, after, "Imported", "False"),
    ...changedCondition(before, after, "MaterialExpiring", "True"),
  ];
}

/** What happened to a KeyAlias. */
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

type WithConditions = Pick<MasterKeyStatus, "conditions"> | undefined;

/** How every key begins, and what passes by itself: no news. */
const ordinary = new Set(["Creating", "WaitingForNodes", "PendingImport"]);

/** A warning when a condition falls, or falls for another reason. */
function changedCondition(
  before: WithConditions,
  after: WithConditions,
  type: string,
  bad: string,
): ResourceEvent[] {
  const condition = conditionOf(after?.conditions, type);
  if (condition?.status !== bad || ordinary.has(condition.reason)) return [];
  const old = conditionOf(before?.conditions, type);
  if (old?.status === bad && old.reason === condition.reason) return [];
  return [{ type: "Warning", reason: condition.reason, message: condition.message }];
}
