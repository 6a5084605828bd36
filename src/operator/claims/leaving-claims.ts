import { conditionOf } from "../../resources/conditions.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { StatusPart } from "../master-key/assemble-status.ts";
import { unknown } from "../reencryption/findings.ts";

/**
 * Returns the status of a MasterKey that is being deleted, without its claims about stored data. Nothing is
 * rewritten for it any more and nobody follows its API servers, although its finalizer may keep it in use for
 * years.
 */
export function leavingPart({ metadata: { generation }, status }: MasterKey): StatusPart {
  const { reencryption, conditions, rotation, ...rest } = status ?? {};
  const fields = { ...rest, observedGeneration: generation };
  const said = conditionOf(conditions, "Reencrypted");
  if (reencryption === undefined && said === undefined)
    return { fields: { ...fields, rotation }, findings: [] };
  const unproven = rotation?.last && { ...rotation, last: { ...rotation.last, verified: false } };
  return { fields: { ...fields, rotation: unproven ?? rotation }, findings: [LEAVING] };
}

const LEAVING = unknown(
  "BeingDeleted",
  "the MasterKey is to be deleted or was destroyed: nothing is written again under it, and what is stored under it is not looked at any more",
);
