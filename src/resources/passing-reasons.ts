import type { Condition } from "./schemas/fields.ts";

/** Reasons that every key begins with, or that pass by themselves. */
const PASSING = new Set([
  "Creating",
  "WaitingForNodes",
  "PendingImport",
  "Switching",
  "Reencrypting",
  "Verifying",
  "Counting",
  "VersionsUnchecked",
  "ClocksNotCompared",
  "RateLimited",
]);

/** Returns true if a condition of this reason changes without anybody's help. */
export const passesByItself = (reason: string): boolean => PASSING.has(reason);

/** Reasons of Reencrypted that pass by themselves, or that somebody wanted. */
const REENCRYPTED_PASSING = new Set([
  "Switching",
  "Reencrypting",
  "Verifying",
  "KeyDisabled",
  "NodeNotUpgraded",
]);

/** Returns true if the condition Reencrypted does not change until somebody acts. */
export const needsSomebody = (reencrypted: Condition | undefined): reencrypted is Condition =>
  reencrypted?.status === "False" && !REENCRYPTED_PASSING.has(reencrypted.reason);
