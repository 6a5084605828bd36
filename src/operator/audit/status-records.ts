import type { Elements } from "../../audit/record/audit-record.ts";
import { conditionOf } from "../../resources/conditions.ts";
import type { KeyAliasStatus } from "../../resources/schemas/key-alias.ts";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";

/** An event for the audit log. */
export interface StatusRecord {
  /** AWS's name if AWS has such an event, or a name of claviger's own. */
  readonly name: string;
  readonly details: Elements;
}

/** Returns the records of a MasterKey whose status changes. Their key is `after.arn`. */
export const masterKeyRecords = (
  before: MasterKeyStatus | undefined,
  after: MasterKeyStatus,
): readonly StatusRecord[] => [
  ...promotion(before, after),
  ...stateChange(before, after),
  ...proof(before, after),
];

/** The first version makes a key usable, and each later version rotates it. */
function promotion(before: MasterKeyStatus | undefined, after: MasterKeyStatus): StatusRecord[] {
  const [was, is] = [before?.currentVersion, after.currentVersion];
  if (is === undefined || was?.versionId === is.versionId) return [];
  const current = { currentVersion: is.number, versionId: is.versionId, kmsKeyId: is.kmsKeyId };
  if (was === undefined) return [{ name: "CreateKey", details: { ...identity(after), ...current } }];
  const { running, last } = after.rotation ?? {};
  const trigger = [running, last].find((rotation) => rotation?.number === is.number)?.trigger;
  const rotationType = trigger === undefined ? "UNKNOWN" : TYPES[trigger];
  return [
    {
      name: "RotateKey",
      details: { ...identity(after), rotationType, previousVersion: was.number, ...current },
    },
  ];
}

function stateChange(before: MasterKeyStatus | undefined, after: MasterKeyStatus): StatusRecord[] {
  const [was, is] = [before?.keyState, after.keyState];
  if (was === is || was === undefined) return [];
  const { deletionDate } = after.deletion ?? {};
  const details = { ...identity(after), previousState: was, ...(deletionDate && { deletionDate }) };
  const cancelled = was === "PendingDeletion" && is !== "Destroyed" ? ["CancelKeyDeletion"] : [];
  const name = is === undefined ? undefined : ENTERED[is];
  // A key that was created becomes Enabled too, and has a record of that.
  const isNew = is === "Enabled" && (was === "Creating" || was === "PendingImport" || cancelled.length > 0);
  return [...cancelled, ...(name === undefined || isNew ? [] : [name])].map((event) => ({
    name: event,
    details,
  }));
}

/** Everything that is stored has followed the current version. */
function proof(before: MasterKeyStatus | undefined, after: MasterKeyStatus): StatusRecord[] {
  const [was, is] = [before, after].map((status) => conditionOf(status?.conditions, "Reencrypted"));
  if (is?.status !== "True" || was?.status === "True") return [];
  const { verified = false } = after.reencryption ?? {};
  const { kmsKeyId = "" } = after.currentVersion ?? {};
  return [{ name: "ReencryptionComplete", details: { ...identity(after), kmsKeyId, verified } }];
}

/** Returns the records of a KeyAlias whose status changes. */
export function keyAliasRecords(
  before: KeyAliasStatus | undefined,
  after: KeyAliasStatus,
): readonly StatusRecord[] {
  if (after.keyId === undefined || before?.keyId === after.keyId) return [];
  const details = {
    aliasArn: after.arn ?? null,
    previousKeyId: before?.keyId ?? null,
    targetKeyId: after.keyId,
  };
  return [{ name: before?.keyId === undefined ? "CreateAlias" : "UpdateAlias", details }];
}

const identity = ({ arn, keyId }: MasterKeyStatus): Elements => ({ keyId: arn ?? keyId ?? null });

/** AWS's types, and two that AWS does not have. */
const TYPES = {
  Automatic: "AUTOMATIC",
  OnDemand: "ON_DEMAND",
  Imported: "IMPORTED",
  Restored: "RESTORED",
} as const;

/** The event of entering a state. */
const ENTERED: Partial<Record<NonNullable<MasterKeyStatus["keyState"]>, string>> = {
  Enabled: "EnableKey",
  Disabled: "DisableKey",
  PendingDeletion: "ScheduleKeyDeletion",
  PendingImport: "KeyMaterialUnavailable",
  Destroyed: "DeleteKey",
};
