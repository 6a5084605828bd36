import { grantIdOf } from "../../access/grant-id.ts";
import type { ObjectName } from "../../names.ts";
import { printable } from "../../printable.ts";
import { conditionOf } from "../../resources/conditions.ts";
import type { KeyGrant } from "../../resources/resources.ts";
import { AwsError, type AwsErrorType } from "../aws-error.ts";
import type { Caller } from "../caller.ts";
import type { ManagedObjects } from "../management/managed-objects.ts";
import { untilFollowed } from "../management/until.ts";
import type { AwsGrants } from "./aws-grants.ts";

/** Passes by itself: a MasterKey that was just created gets its keyId. */
const PASSING = "MasterKeyNotReady";
const TYPES: ReadonlyMap<string, AwsErrorType> = new Map([
  ["ConstraintNotPossible", "ValidationException"],
  ["OperationNotPossible", "ValidationException"],
  ["TooManyGrants", "LimitExceededException"],
]);

/** A KeyGrant that was created or found. */
interface AwaitedGrant {
  readonly name: ObjectName;
  readonly grantId: string;
  /** True if the request that waits has created it. */
  readonly isOwn: boolean;
}

/**
 * Waits until this node has a new grant, for some seconds: its token is good meanwhile. If the operator refuses
 * the grant, throws AccessDeniedException, LimitExceededException or ValidationException, and removes the grant if it is the request's own.
 */
export async function awaitGrant(
  grants: AwsGrants,
  objects: ManagedObjects,
  caller: Caller,
  { name, grantId, isOwn }: AwaitedGrant,
): Promise<void> {
  const refuse = async () => {
    const object = await objects.read("KeyGrant", name);
    // Another object of the name is another grant.
    if (object === undefined || grantIdOf(object.metadata.uid) !== grantId) return;
    const refusal = refusalOf(object);
    if (refusal === undefined) return;
    // It allows nothing, so it does no harm if it cannot be removed.
    if (isOwn) await objects.remove(caller, object).catch(() => undefined);
    throw refusal;
  };
  await untilFollowed(() => grants.fresh(grantId) !== undefined, refuse);
}

/** Returns the error for a KeyGrant that the operator does not accept. */
export function refusalOf({ status }: Pick<KeyGrant, "status">): AwsError | undefined {
  const ready = conditionOf(status?.conditions, "Ready");
  if (ready?.status !== "False" || ready.reason === PASSING || status?.phase !== undefined) return undefined;
  return new AwsError(
    TYPES.get(ready.reason) ?? "AccessDeniedException",
    `The grant is not accepted: ${printable(ready.message, 1024)}`,
  );
}
