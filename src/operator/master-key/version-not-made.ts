import type { Finding } from "../../resources/conditions.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { StatusPart } from "./assemble-status.ts";
import type { MasterKeyPlan } from "./decide-master-key.ts";

/** Reports that the version of a plan could not be created, and that nothing was changed. */
export function versionNotMade(
  { spec }: MasterKey,
  { step, fields }: Pick<MasterKeyPlan, "step" | "fields">,
  why: string,
): StatusPart {
  const which = step.kind === "createVersion" ? `version ${step.number}` : "the version";
  const reason = "VersionNotMade";
  const message = `${which} could not be made and is tried again: ${why}`;
  const distributed: Finding = { type: "Distributed", status: "False", reason, message };
  const isReady = !spec.enabled || fields.currentVersion !== undefined;
  return { fields: {}, findings: isReady ? [distributed] : [distributed, { ...distributed, type: "Ready" }] };
}
