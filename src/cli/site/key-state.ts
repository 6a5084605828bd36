import type { KeyRow, VersionRow } from "../../keyring/rows.ts";
import { decideUse, type UseObstacle } from "../../keys/may-use.ts";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";

/** The state of a key on a node: a state of the MasterKey, or one of the two that only a node has. */
export type KeyState = NonNullable<MasterKeyStatus["keyState"]> | "Expired" | "NoVersion";

const STATES: Readonly<Record<UseObstacle["code"], KeyState>> = {
  VersionDestroyed: "Destroyed",
  KeyPendingDeletion: "PendingDeletion",
  KeyDisabled: "Disabled",
  MaterialExpired: "Expired",
};

/** Returns a key's state by a node's keyring; `said` is the MasterKey's own if the keyring has the object (standalone). */
export function keyState(
  key: Pick<KeyRow, "namespace" | "name" | "enabled" | "deletionDate" | "current">,
  version: Pick<VersionRow, "number" | "masterKey" | "origin" | "validTo"> | undefined,
  said: MasterKeyStatus["keyState"],
  now: number,
): KeyState {
  if (said === "Destroyed") return said;
  const obstacle = decideUse({ owner: key, version }, now);
  if (obstacle !== undefined) return STATES[obstacle.code];
  // Nothing encrypts under the key, whatever state the object last had.
  if (key.current === undefined) return said === undefined || said === "Enabled" ? "NoVersion" : said;
  return "Enabled";
}
