import { conditionOf } from "../resources/conditions.ts";
import type { MasterKey } from "../resources/resources.ts";
import { timeOf } from "../times.ts";

/** A gauge that has a value for some keys. */
export interface KeyGauge {
  readonly name: string;
  readonly help: string;
  readonly value: (masterKey: MasterKey) => number | undefined;
}

const seconds = (time: string | undefined): number | undefined =>
  time === undefined ? undefined : timeOf(time) / 1000;

/** Returns 1 if a condition is True, 0 if it is False, and undefined otherwise. */
const holds = (type: string) => (masterKey: MasterKey) => {
  const status = conditionOf(masterKey.status?.conditions, type)?.status;
  return status === "True" ? 1 : status === "False" ? 0 : undefined;
};

/** Gauges that show for each key if it rotates in time, if its data follow, and when it will be destroyed. */
export const keyGauges: readonly KeyGauge[] = [
  {
    name: "claviger_key_rotation_next_timestamp_seconds",
    help: "When a key rotates next by itself, in epoch seconds; absent if it does not.",
    value: ({ status }) => seconds(status?.rotation?.nextRotationTime),
  },
  {
    name: "claviger_key_rotation_running_since_timestamp_seconds",
    help: "When the rotation that is not finished began, in epoch seconds.",
    value: ({ status }) => seconds(status?.rotation?.running?.startedAt),
  },
  {
    name: "claviger_key_rotation_on_time",
    help: "0 if a rotation is overdue or cannot begin, otherwise 1.",
    value: holds("RotationOnTime"),
  },
  {
    name: "claviger_key_reencrypted",
    help: "1 if stored data have followed the current version, otherwise 0.",
    value: holds("Reencrypted"),
  },
  {
    name: "claviger_key_reencryption_verified",
    help: "1 if a census of etcd proved it, otherwise 0.",
    value: ({ status }) => status?.reencryption && Number(status.reencryption.verified),
  },
  {
    name: "claviger_key_strays",
    help: "Objects that the last census found plain or under another key_id, after an earlier census had found none.",
    value: ({ status }) =>
      status?.reencryption &&
      (status.reencryption.straysFoundTime === undefined ? 0 : (status.reencryption.remaining ?? 0)),
  },
  {
    name: "claviger_key_strays_found_timestamp_seconds",
    help: "When a census last found such objects, in epoch seconds; absent if none did since the last rotation.",
    value: ({ status }) => seconds(status?.reencryption?.straysFoundTime),
  },
  {
    name: "claviger_key_census_timestamp_seconds",
    help: "When the objects under a key were last counted, in epoch seconds; absent if they were not counted since the last rotation.",
    value: ({ status }) => seconds(status?.reencryption?.lastCensusTime),
  },
  {
    name: "claviger_key_reencryption_objects_done",
    help: "Objects gone through in the running or last round.",
    value: ({ status }) => status?.reencryption?.done,
  },
  {
    name: "claviger_key_reencryption_objects",
    help: "Objects to go through in that round, as far as is known.",
    value: ({ status }) => status?.reencryption?.total,
  },
  {
    name: "claviger_key_reencryption_objects_failed",
    help: "Objects that could not be written again in that round.",
    value: ({ status }) => status?.reencryption && (status.reencryption.failed ?? 0),
  },
  {
    name: "claviger_key_deletion_timestamp_seconds",
    help: "From when on the material of a key that is pending deletion may be destroyed, in epoch seconds.",
    value: ({ status }) =>
      status?.keyState === "PendingDeletion" ? seconds(status.deletion?.deletionDate) : undefined,
  },
  {
    name: "claviger_key_deletion_blocked",
    help: "1 if a requested deletion cannot continue, 0 if it can; absent without a deletion.",
    value: holds("DeletionBlocked"),
  },
];
