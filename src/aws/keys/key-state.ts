import { isExpired, type KeyRow, type VersionRow } from "../../keyring/rows.ts";
import { AwsError } from "../aws-error.ts";

/** The states of AWS KMS that a key of claviger can have. */
export type KeyState = "Creating" | "Enabled" | "Disabled" | "PendingDeletion" | "PendingImport";

/**
 * Decides the state of a key by its row and its current version. `now` is in epoch milliseconds. A pending
 * deletion comes before `enabled`, as everywhere in claviger.
 */
export function decideKeyState(
  key: Pick<KeyRow, "enabled" | "deletionDate">,
  current: VersionRow | undefined,
  now: number,
): KeyState {
  if (key.deletionDate !== undefined) return "PendingDeletion";
  if (current === undefined) return "Creating";
  if (isExpired(current, now)) return "PendingImport";
  return key.enabled ? "Enabled" : "Disabled";
}

/** Tools match on these texts: Terraform on "is pending deletion". */
const TEXTS: Readonly<Record<Exclude<KeyState, "Enabled">, string>> = {
  Creating: "is creating.",
  Disabled: "is disabled.",
  PendingDeletion: "is pending deletion.",
  PendingImport: "is pending import.",
};

/** Returns the error that AWS KMS answers if an operation may not be done with a key in this state. */
export const stateError = (state: Exclude<KeyState, "Enabled">, arn: string): AwsError =>
  new AwsError(
    state === "Disabled" ? "DisabledException" : "KMSInvalidStateException",
    `${arn} ${TEXTS[state]}`,
  );
