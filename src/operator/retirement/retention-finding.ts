import type { Finding } from "../../resources/conditions.ts";
import type { RetentionPlan } from "./decide-retention.ts";

/** Returns a finding about a key's earlier versions, or undefined if they are kept for ever. */
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
