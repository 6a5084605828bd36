import { grantIdOf } from "../../access/grant-id.ts";
import type { GrantEnd, GrantRow } from "../../keyring/grant-row.ts";
import { retryConflicts } from "../../store/retry-conflicts.ts";
import { AwsError } from "../aws-error.ts";
import type { Caller } from "../caller.ts";
import type { ManagedObjects } from "../management/managed-objects.ts";
import { until } from "../management/until.ts";
import type { AwsGrants } from "./aws-grants.ts";

/** Ends a grant as the caller, and waits until this process knows. A grant that has ended stays as it is. */
export async function endGrant(
  grants: AwsGrants,
  objects: ManagedObjects,
  caller: Caller,
  grant: GrantRow,
  phase: GrantEnd["phase"],
): Promise<void> {
  await write(objects, caller, grant, phase);
  const isKnown = () => {
    const row = grants.fresh(grant.grantId);
    return row === undefined || row.ended !== undefined;
  };
  if (await until(isKnown)) return;
  throw new AwsError(
    "DependencyTimeoutException",
    "The end of the grant is written, and is not in force on this node yet: see whether the operator of this node runs.",
  );
}

async function write(
  objects: ManagedObjects,
  caller: Caller,
  grant: GrantRow,
  phase: GrantEnd["phase"],
): Promise<void> {
  await retryConflicts(async () => {
    const object = await objects.read("KeyGrant", grant);
    // Another object of the name is another grant, and this one is gone.
    if (object === undefined || grantIdOf(object.metadata.uid) !== grant.grantId) return;
    if (object.spec.ended === undefined) await objects.change(caller, object, { ended: phase });
  });
}
