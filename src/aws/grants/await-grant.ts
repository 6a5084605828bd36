import { printable } from "../../printable.ts";
import { conditionOf } from "../../resources/conditions.ts";
import type { KeyGrant } from "../../resources/resources.ts";
import { AwsError } from "../aws-error.ts";
import type { Caller } from "../caller.ts";
import type { ManagedObjects } from "../management/managed-objects.ts";
import { until } from "../management/until.ts";
import type { AwsGrants } from "./aws-grants.ts";

/** A refusal costs a read of the object, so it is looked for less often than the keyring. */
const LOOKS_FOR_EACH_READ = 10;
/** Passes by itself: a MasterKey that was just created gets its keyId. */
const PASSING = "MasterKeyNotReady";
const INVALID: ReadonlySet<string> = new Set(["OperationNotPossible", "ConstraintNotPossible"]);

/**
 * Waits until this node has a new grant, for some seconds: its token is good meanwhile. If the operator refuses
 * the grant, removes it and throws AccessDeniedException or ValidationException.
 */
export async function awaitGrant(
  grants: AwsGrants,
  objects: ManagedObjects,
  caller: Caller,
  {
    name,
    grantId,
  }: { readonly name: { readonly namespace: string; readonly name: string }; readonly grantId: string },
): Promise<void> {
  let looks = 0;
  await until(async () => {
    if (grants.index.get(grantId) !== undefined) return true;
    looks += 1;
    const object = looks % LOOKS_FOR_EACH_READ === 0 ? await objects.read("KeyGrant", name) : undefined;
    const refusal = object && refusalOf(object);
    if (object === undefined || refusal === undefined) return false;
    // It allows nothing, so it does no harm if it cannot be removed.
    await objects.remove(caller, object).catch(() => undefined);
    throw refusal;
  });
}

/** Returns the error for a KeyGrant that the operator does not accept. */
export function refusalOf({ status }: Pick<KeyGrant, "status">): AwsError | undefined {
  const ready = conditionOf(status?.conditions, "Ready");
  if (ready?.status !== "False" || ready.reason === PASSING || status?.phase !== undefined) return undefined;
  return new AwsError(
    INVALID.has(ready.reason) ? "ValidationException" : "AccessDeniedException",
    `The grant is not accepted: ${printable(ready.message, 1024)}`,
  );
}
