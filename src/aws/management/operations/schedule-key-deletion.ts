import { printable } from "../../../printable.ts";
import { conditionOf } from "../../../resources/conditions.ts";
import { PENDING_WINDOW } from "../../../resources/schemas/deletion.ts";
import { DAY_MILLISECONDS, timeOf } from "../../../times.ts";
import { AwsError } from "../../aws-error.ts";
import { type KeyInput, keyChange } from "../key-change.ts";
import { NOT_PENDING_DELETION, type ObservedKey, refuseStates } from "../managed-key.ts";

interface Input extends KeyInput {
  readonly PendingWindowInDays?: number;
}

interface Output {
  readonly KeyId: string;
  readonly DeletionDate: Date;
  readonly KeyState: "PendingDeletion";
  readonly PendingWindowInDays: number;
}

/**
 * Sets spec.deletion. The operator refuses the deletion of a key that is in use, by an alias too; AWS KMS deletes
 * aliases along with their key.
 */
export const scheduleKeyDeletion = keyChange<Input, Output>({
  action: "ScheduleKeyDeletion",
  decide(observed, input, { standalone }) {
    const pendingWindowInDays = windowOf(input);
    refuseStates(observed, ...NOT_PENDING_DELETION);
    // As in AWS KMS, the caller vouches that nothing needs the key: there is nothing to count.
    return { deletion: { pendingWindowInDays, ...(standalone && { withoutCensus: true }) } };
  },
  isShown: ({ state }) => state === "PendingDeletion",
  refusal: (observed) => refusalOf(observed),
  undo: { deletion: null },
  answer({ arn, masterKey: { status } }, input, { now }) {
    const PendingWindowInDays = windowOf(input);
    const date = status?.deletion?.deletionDate;
    return {
      KeyId: arn,
      DeletionDate: new Date(
        date === undefined ? now + PendingWindowInDays * DAY_MILLISECONDS : timeOf(date),
      ),
      KeyState: "PendingDeletion",
      PendingWindowInDays,
    };
  },
});

/** The service model allows 1 to 365 days. */
function windowOf({ PendingWindowInDays: days = PENDING_WINDOW.default }: Input): number {
  if (days >= PENDING_WINDOW.minimum && days <= PENDING_WINDOW.maximum) return days;
  throw new AwsError(
    "ValidationException",
    `PendingWindowInDays is ${PENDING_WINDOW.minimum} to ${PENDING_WINDOW.maximum}`,
  );
}

/** The reason of the condition DeletionBlocked that does not end by itself. */
const FINAL = "InUse";

/** Returns the refusal of the operator; undefined if it may still accept the deletion. */
function refusalOf({ arn, masterKey: { metadata, status } }: ObservedKey): AwsError | undefined {
  const blocked = conditionOf(status?.conditions, "DeletionBlocked");
  const isFinal = blocked?.status === "True" && blocked.reason === FINAL;
  if (!isFinal || blocked.observedGeneration !== metadata.generation) return undefined;
  return new AwsError(
    "KMSInvalidStateException",
    printable(`${arn} cannot be deleted: ${blocked.message}`, 1024),
  );
}
