import { ClavigerError } from "../errors.ts";
import { destroyedError } from "../keyring/live/destroyed-error.ts";
import type { LiveKeyring } from "../keyring/live/live-keyring.ts";
import type { VersionRow } from "../keyring/rows.ts";
import { decideUse, useError } from "./may-use.ts";

/** Returns why a version of the keyring must not be used at `now` (epoch milliseconds), by the keyring as it is now. */
export function useRefusal(
  keyring: LiveKeyring,
  version: VersionRow,
  now: number,
): ClavigerError | undefined {
  const { versionId } = version;
  const observed = {
    owner: keyring.owner(version),
    version: keyring.version(versionId) ?? version,
    tombstone: keyring.destroyed(versionId),
  };
  const obstacle = decideUse(observed, keyring.expiryTime(now));
  return obstacle && useError(obstacle);
}

/** Returns the error for a version that is not in the keyring: it was destroyed, or has not come to this node yet. */
export function missingVersion(keyring: LiveKeyring, versionId: string, kmsKeyId: string): ClavigerError {
  const tombstone = keyring.destroyed(versionId);
  if (tombstone !== undefined) return destroyedError(tombstone);
  return (
    keyring.problem ??
    new ClavigerError(
      "NotFound",
      `no version with key_id ${kmsKeyId} is in ${keyring.path}: its operator has not brought it yet; start the operator of this node and see its log`,
    )
  );
}
