import type { Finding } from "../../resources/conditions.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";
import { foreignVersions } from "./adoption.ts";
import type { MasterKeyStep } from "./decide-step.ts";
import type { ObservedMasterKey } from "./observed-master-key.ts";

type CurrentVersion = MasterKeyStatus["currentVersion"];

/** The state that AWS KMS would give the key. */
export function keyState(
  masterKey: MasterKey,
  current: CurrentVersion,
): NonNullable<MasterKeyStatus["keyState"]> {
  if (!masterKey.spec.enabled) return "Disabled";
  return current === undefined ? "Creating" : "Enabled";
}

/** The condition Ready. */
export function readiness(masterKey: MasterKey, current: CurrentVersion, step: MasterKeyStep): Finding {
  if (!masterKey.spec.enabled) {
    const message = "spec.enabled is false: nothing encrypts or decrypts under this key until it is true";
    return { type: "Ready", status: "False", reason: "Disabled", message };
  }
  if (current === undefined) {
    const waiting =
      step.kind === "wait" ? step : { reason: "Creating", message: "the first version is being made" };
    return { type: "Ready", status: "False", reason: waiting.reason, message: waiting.message };
  }
  const message = `version ${current.number} encrypts, with key_id ${current.kmsKeyId}`;
  return { type: "Ready", status: "True", reason: "VersionCurrent", message };
}

/** Adds that versions which only name the key are not its own, unless that is the finding itself. */
export function withForeign(finding: Finding, { masterKey, versions }: ObservedMasterKey): Finding {
  const foreign = foreignVersions(masterKey, versions);
  if (foreign === undefined || finding.reason === "KeySpecDiffers") return finding;
  return { ...finding, message: `${finding.message}; ${foreign}` };
}

/** The condition Distributed. */
export function distribution(step: MasterKeyStep): Finding {
  switch (step.kind) {
    case "wait":
      return { type: "Distributed", status: "False", reason: step.reason, message: step.message };
    case "promote":
    case "settled":
      return {
        type: "Distributed",
        status: "True",
        reason: "OnEveryNode",
        message: "the newest version was on every node when it was promoted",
      };
    case "adopt":
    case "assignKeyId":
    case "beginRotation":
    case "createVersion":
      return {
        type: "Distributed",
        status: "False",
        reason: "Creating",
        message: "the newest version is not on the nodes yet",
      };
  }
}
