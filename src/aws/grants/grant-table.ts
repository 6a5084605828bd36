import type { ManagedObjects } from "../management/managed-objects.ts";
import type { Operation } from "../operations/operation.ts";
import type { AwsGrants } from "./aws-grants.ts";
import { createGrant } from "./operations/create-grant.ts";
import { listGrants } from "./operations/list-grants.ts";
import { listRetirableGrants } from "./operations/list-retirable-grants.ts";
import { retireGrant } from "./operations/retire-grant.ts";
import { revokeGrant } from "./operations/revoke-grant.ts";

type AnyOperation = Operation<object, object>;

/** Returns the operations on grants, by the names of the service model. Those that write need `objects`. */
export function grantOperations(
  grants: AwsGrants,
  objects: ManagedObjects | undefined,
): ReadonlyMap<string, AnyOperation> {
  const reads = { ListGrants: listGrants(grants), ListRetirableGrants: listRetirableGrants(grants) };
  const writes = objects && {
    CreateGrant: createGrant(grants, objects),
    RetireGrant: retireGrant(grants, objects),
    RevokeGrant: revokeGrant(grants, objects),
  };
  // The service model has validated the input of each.
  return new Map(Object.entries({ ...reads, ...writes }) as unknown as [string, AnyOperation][]);
}
