import { kmsKeyId } from "../../crypto/ids.ts";
import type { KeyRow } from "../../keyring/rows.ts";
import { nameText, type ObjectName } from "../../names.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";
import { kmsKeyIdOfRow } from "../../resources/versions.ts";
import type { StatusPart } from "../master-key/assemble-status.ts";
import type { OwnRecord } from "./own-record.ts";

/** The facts about a MasterKey in the leader's own keyring and in the API server. */
export interface OwnFacts {
  readonly record: OwnRecord;
  readonly row: KeyRow | undefined;
  readonly versions: readonly KeyVersion[];
  /** Another MasterKey that has the same keyId, which has no version yet (`rivalOf`). */
  readonly rival?: string | undefined;
}

/** A MasterKey whose status contains nothing that this node's keyring contradicts. */
export interface CheckedMasterKey {
  readonly masterKey: MasterKey;
  /** Set if its keyId belongs to another MasterKey: nothing is done for it then. A sentence for people. */
  readonly foreign?: string;
}

/**
 * Checks the claims of a MasterKey's status against the leader's own keyring, because anybody who may write
 * status could name any key there. `row` is the keyring's row under the MasterKey's name, and `versions` are
 * the KeyVersions that name the MasterKey.
 */
export function checkClaims(
  masterKey: MasterKey,
  { record, row, versions, rival }: OwnFacts,
): CheckedMasterKey {
  const { metadata, status } = masterKey;
  if (status?.keyId === undefined) return { masterKey };
  const name = { namespace: metadata.namespace ?? "", name: metadata.name };
  const { currentVersion: claimed, ...rest } = withoutFalseState(status, record);
  if (record.isForeign(status.keyId, name)) {
    const foreign = `status.keyId ${status.keyId} is the key of another MasterKey: somebody wrote it there; delete MasterKey ${nameText(name)} and create it again, which gives it its own key`;
    return { masterKey: { ...masterKey, status: rest }, foreign };
  }
  if (rival !== undefined) {
    const foreign = `status.keyId ${status.keyId} is MasterKey ${rival}'s too, and no version says whose it is: delete the MasterKey whose status somebody wrote it to, and create it again, which gives it its own key`;
    return { masterKey: { ...masterKey, status: rest }, foreign };
  }
  const current = checkedCurrent(status.keyId, name, claimed, { record, row, versions });
  if (current === claimed && rest.keyState === status.keyState) return { masterKey };
  return {
    masterKey: {
      ...masterKey,
      status: { ...rest, ...(current !== undefined && { currentVersion: current }) },
    },
  };
}

/** A key of which no version was destroyed is not Destroyed. */
function withoutFalseState(status: MasterKeyStatus, record: OwnRecord): MasterKeyStatus {
  if (status.keyState !== "Destroyed" || record.hasDestroyed(status.keyId ?? "")) return status;
  const { keyState: _, ...rest } = status;
  return rest;
}

/**
 * Returns the status of a MasterKey whose keyId belongs to another MasterKey: nobody uses it, and it may be
 * deleted.
 */
export function foreignPart({ metadata, status }: MasterKey, foreign: string): StatusPart {
  const reason = "KeyIdForeign";
  const unused = "it has no key of its own: deleting the object stops nothing";
  const { generation } = metadata;
  return {
    fields: { observedGeneration: generation, keyId: status?.keyId, arn: status?.arn, keyState: "Creating" },
    findings: [
      { type: "Ready", status: "False", reason, message: foreign },
      { type: "Distributed", status: "False", reason, message: foreign },
      { type: "InUse", status: "False", reason: "NotInUse", message: unused },
    ],
  };
}

type Current = MasterKeyStatus["currentVersion"];

/** Returns the claimed current version if the keyring confirms it, otherwise the keyring's own. */
function checkedCurrent(
  keyId: string,
  name: ObjectName,
  claimed: Current,
  { record, row, versions }: OwnFacts,
): Current {
  if (claimed === undefined) return claimed;
  const found = record.identity(claimed.versionId);
  if (found === undefined) {
    const isOnItsWay = versions.some(({ spec }) => spec.versionId === claimed.versionId);
    const recorded = row?.keyId === keyId ? row.current : undefined;
    // If another node has the claimed version after all, that node hands it back, and it is promoted again:
    // no node goes back to an earlier version.
    return isOnItsWay || recorded === undefined ? claimed : currentOf(row, claimed);
  }
  if (found.keyId !== keyId || nameText(found.masterKey) !== nameText(name)) return currentOf(row, claimed);
  const id = kmsKeyIdOfRow(found);
  if (found.number === claimed.number && id === claimed.kmsKeyId) return claimed;
  return { ...claimed, number: found.number, kmsKeyId: id };
}

function currentOf(row: KeyRow | undefined, { promotedAt }: NonNullable<Current>): Current {
  if (row?.current === undefined) return undefined;
  const { versionId, number } = row.current;
  return { number, versionId, kmsKeyId: kmsKeyId(row.keyId, versionId), promotedAt };
}
