import { type Finding, withFindings } from "../../resources/conditions.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";
import type { RetentionPlan } from "./decide-retention.ts";

const OWN_TYPES: readonly string[] = ["Destroyed", "Retention"];

/** What becomes of a key's earlier versions; nothing where they are kept for ever. */
export function retentionFinding(plan: RetentionPlan): Finding | undefined {
  const type = "Retention";
  switch (plan.kind) {
    case "none":
      return undefined;
    case "keep": {
      const message = `earlier versions are destroyed after ${plan.until}; what etcd snapshots from before their re-encryption hold under them is not readable from then on`;
      return { type, status: "True", reason: "DestructionScheduled", message };
    }
    case "wait":
      return { type, status: "False", reason: plan.reason, message: plan.message };
    case "destroy":
      return {
        type,
        status: "True",
        reason: "DestructionDue",
        message: "earlier versions are destroyed now",
      };
  }
}

/** Adds findings to a status; conditions of these types that are not stated any more go. */
export function withExtraFindings(
  { metadata, status: stored }: MasterKey,
  status: MasterKeyStatus,
  findings: readonly (Finding | undefined)[],
  now: Date,
): MasterKeyStatus {
  const said = findings.filter((finding) => finding !== undefined);
  const types = new Set(said.map(({ type }) => type));
  const before = [
    ...(stored?.conditions ?? []).filter(({ type }) => types.has(type)),
    ...(status.conditions ?? []).filter(({ type }) => !OWN_TYPES.includes(type)),
  ];
  return { ...status, conditions: withFindings(before, said, metadata.generation, now) };
}
