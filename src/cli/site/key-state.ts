import { isExpired, type KeyRow, type VersionRow } from "../../keyring/rows.ts";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";

/** What a node may do with a key: the MasterKey's states, and two of the node's own. */
export type KeyState = NonNullable<MasterKeyStatus["keyState"]> | "Expired" | "NoVersion";

/** What a node's keyring says of a key; `said` is the MasterKey's own word where the keyring has the object (standalone). */
export function keyState(
  { enabled, deletionDate, current }: Pick<KeyRow, "enabled" | "deletionDate" | "current">,
  version: Pick<VersionRow, "origin" | "validTo"> | undefined,
  said: MasterKeyStatus["keyState"],
  now: number,
): KeyState {
  if (said === "Destroyed") return said;
  if (deletionDate !== undefined) return "PendingDeletion";
  if (!enabled) return "Disabled";
  // Nothing encrypts under it, whatever the object was said to be a moment ago.
  if (current === undefined) return said === undefined || said === "Enabled" ? "NoVersion" : said;
  return version !== undefined && isExpired(version, now) ? "Expired" : "Enabled";
}
