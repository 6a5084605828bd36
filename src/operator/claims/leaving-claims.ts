import { conditionOf, withFindings } from "../../resources/conditions.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";
import { unknown } from "../reencryption/findings.ts";

/**
 * The status of a MasterKey that is on its way out, without what it says of stored data: nothing
 * is written again for it, and nobody looks at its API servers any more, while it may be held and
 * in use for years.
 */
export function withoutClaims({ metadata, status }: MasterKey, now: Date): MasterKeyStatus {
  const { reencryption, ...rest } = status ?? {};
  const said = conditionOf(status?.conditions, "Reencrypted");
  if (reencryption === undefined && said === undefined) return rest;
  const { rotation } = rest;
  return {
    ...rest,
    ...(rotation?.last && { rotation: { ...rotation, last: { ...rotation.last, verified: false } } }),
    conditions: withFindings(status?.conditions, [LEAVING], metadata.generation, now),
  };
}

const LEAVING = unknown(
  "BeingDeleted",
  "the MasterKey is to be deleted or was destroyed: nothing is written again under it, and what is stored under it is not looked at any more",
);
