import { ClavigerError } from "../errors.ts";
import { destroyedError } from "../keyring/live/destroyed-error.ts";
import { isExpired, type KeyRow, type TombstoneRow, type VersionRow } from "../keyring/rows.ts";
import { nameText } from "../names.ts";
import { isoTime } from "../times.ts";

type Owner = Pick<KeyRow, "namespace" | "name" | "enabled" | "deletionDate">;
type Version = Pick<VersionRow, "number" | "masterKey" | "origin" | "validTo">;

/** The facts that decide whether a version may be used. */
export interface ObservedUse {
  /** The MasterKey that the version belongs to; undefined if the keyring does not have it. */
  readonly owner: Owner | undefined;
  /** The version as the keyring has it now: a re-import may have moved its validTo. */
  readonly version: Version | undefined;
  /** The tombstone of the version, if it was destroyed. */
  readonly tombstone?: TombstoneRow | undefined;
}

/** Reason why a version must not be used, and the object that it is about. `code` is an ErrorCode. */
export type UseObstacle =
  | { readonly code: "VersionDestroyed"; readonly tombstone: TombstoneRow }
  | { readonly code: "KeyPendingDeletion"; readonly owner: Owner }
  | { readonly code: "KeyDisabled"; readonly owner: Owner }
  | { readonly code: "MaterialExpired"; readonly version: Version };

/**
 * Decides whether a version may be used at `now` (epoch milliseconds): undefined if it may. Every door
 * asks here. A pending deletion comes before `enabled`: enabling the key would not help.
 */
export function decideUse({ owner, version, tombstone }: ObservedUse, now: number): UseObstacle | undefined {
  if (tombstone !== undefined) return { code: "VersionDestroyed", tombstone };
  if (owner?.deletionDate !== undefined) return { code: "KeyPendingDeletion", owner };
  if (owner?.enabled === false) return { code: "KeyDisabled", owner };
  if (version !== undefined && isExpired(version, now)) return { code: "MaterialExpired", version };
  return undefined;
}

/** Returns the error that says why a version must not be used, and what to do about it. */
export const useError = (obstacle: UseObstacle): ClavigerError =>
  obstacle.code === "VersionDestroyed"
    ? destroyedError(obstacle.tombstone)
    : new ClavigerError(obstacle.code, obstacleText(obstacle));

function obstacleText(obstacle: Exclude<UseObstacle, { readonly tombstone: unknown }>): string {
  switch (obstacle.code) {
    case "KeyPendingDeletion": {
      const { owner } = obstacle;
      return `MasterKey ${nameText(owner)} is pending deletion and will be destroyed after ${owner.deletionDate}; remove spec.deletion to keep it`;
    }
    case "KeyDisabled":
      return `MasterKey ${nameText(obstacle.owner)} is disabled; set spec.enabled to true to use it again`;
    case "MaterialExpired": {
      const { number, masterKey, validTo = 0 } = obstacle.version;
      return `the material of version ${number} of MasterKey ${nameText(masterKey)} expired at ${isoTime(validTo)}; import the same material again to use it`;
    }
  }
}
