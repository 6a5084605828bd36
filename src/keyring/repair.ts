import type { KeyId } from "../crypto/ids.ts";
import { ClavigerError } from "../errors.ts";
import { nameText, type ObjectName } from "../names.ts";
import type { KeyringChange } from "./changes.ts";
import { isExpired, isLater, type KeyRow, type VersionRow } from "./rows.ts";

/** A plan that gives a name its own key back; `undefined` if the name has it. */
export interface RepairPlan {
  readonly change: KeyringChange;
  /** The version of the name's own key that encrypts from now on. */
  readonly version: VersionRow;
  /** The version of another MasterKey that encrypted under the name. */
  readonly foreign: VersionRow | undefined;
}

export interface RepairChoice {
  /** The keyId to choose, if the name had several keys. */
  readonly keyId?: KeyId;
  /** The number of the version that will encrypt; the latest that has not expired if left out. */
  readonly number?: number;
  /** Epoch milliseconds. */
  readonly now: number;
}

/** The part of a keyring that a repair uses. */
interface Contents {
  readonly keys: readonly KeyRow[];
  readonly versions: readonly VersionRow[];
}

/**
 * Decides how a name of a keyring that was moved to another MasterKey's key gets its own key back. Versions
 * record their owner; a choice is only needed for names that had several keys, and for a latest version that
 * other nodes do not have yet. Throws NotFound if the keyring lacks the name or a version of its own,
 * InvalidArgument if a choice is needed.
 */
export function planRepair(
  { keys, versions }: Contents,
  name: ObjectName,
  { keyId, number, now }: RepairChoice,
): RepairPlan | undefined {
  const text = nameText(name);
  const row = keys.find((key) => nameText(key) === text);
  if (row === undefined) throw new ClavigerError("NotFound", `MasterKey ${text} is not in this keyring`);
  const current = versions.find(({ versionId }) => versionId === row.current?.versionId);
  const own = versions.filter(({ masterKey }) => nameText(masterKey) === text);
  if (current !== undefined && own.includes(current)) return undefined;
  const usable = own.filter((version) => !isExpired(version, now));
  const latest = latestOf(
    number === undefined ? usable : own.filter((one) => one.number === number),
    text,
    keyId,
  );
  return {
    change: { kind: "reclaimKey", key: name, version: latest },
    version: latest,
    foreign: current,
  };
}

function latestOf(own: readonly VersionRow[], text: string, keyId: KeyId | undefined): VersionRow {
  const keyIds = [...new Set(own.map((version) => version.keyId))];
  if (keyId === undefined && keyIds.length > 1) {
    throw new ClavigerError(
      "InvalidArgument",
      `MasterKey ${text} had several keys: choose one with --key-id: ${keyIds.join(", ")}`,
    );
  }
  const chosen = own.filter((version) => version.keyId === (keyId ?? keyIds[0]));
  const [first, ...rest] = chosen;
  if (first === undefined) {
    const which = keyId === undefined ? "" : ` of key ${keyId}`;
    throw new ClavigerError(
      "NotFound",
      `this keyring has no version${which} that belongs to MasterKey ${text}: restore a backup with --merge first`,
    );
  }
  return rest.reduce((latest, version) => (isLater(version, latest) ? version : latest), first);
}
