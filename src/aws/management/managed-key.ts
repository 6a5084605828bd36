import type { KeyRow } from "../../keyring/rows.ts";
import { nameText, type ObjectName } from "../../names.ts";
import { printable } from "../../printable.ts";
import type { MasterKey } from "../../resources/resources.ts";
import { AwsError } from "../aws-error.ts";
import type { Caller } from "../caller.ts";
import type { AwsKeys } from "../keys/aws-keys.ts";
import { parseKeyName } from "../keys/key-name.ts";
import { type KeyState, stateError } from "../keys/key-state.ts";
import type { ObjectReads } from "./managed-objects.ts";

/** A key as its MasterKey says, which the keyring may not have followed yet. */
export interface ObservedKey {
  readonly masterKey: MasterKey;
  readonly arn: string;
  readonly state: KeyState;
}

/** Finds the key of a management operation, which takes key ids and their ARNs only. Throws as `AwsKeys.find` does. */
export function findById(keys: AwsKeys, keyId: string, caller: Caller): KeyRow {
  if ("alias" in parseKeyName(keyId, caller.namespace, keys.site))
    throw new AwsError("NotFoundException", `Invalid keyId '${printable(keyId, 128)}'`);
  return keys.find(keyId, caller);
}

/** Reads a key's MasterKey. Throws NotFoundException if it is gone, or has become another key. */
export async function observeKey(objects: ObjectReads, key: KeyRow, keys: AwsKeys): Promise<ObservedKey> {
  const arn = keys.arn(key);
  const masterKey = await objects.read("MasterKey", key);
  const state = masterKey && stateOf(masterKey);
  if (masterKey?.status?.keyId !== key.keyId || state === undefined) throw gone(arn, key);
  return { masterKey, arn, state };
}

const gone = (arn: string, name: ObjectName): AwsError =>
  new AwsError(
    "NotFoundException",
    `Key '${arn}' does not exist any more as MasterKey ${nameText(name)}: apply the MasterKey again to manage it`,
  );

/** Decides the state that a MasterKey asks for; undefined if its material was destroyed. */
export function stateOf({ spec, status }: MasterKey): KeyState | undefined {
  if (status?.keyState === "Destroyed") return undefined;
  if (spec.deletion !== undefined) return "PendingDeletion";
  if (status?.keyState === "PendingImport" || status?.keyState === "Creating") return status.keyState;
  return spec.enabled ? "Enabled" : "Disabled";
}

/** Throws the error of AWS KMS unless the key is in one of these states. */
export function refuseStates({ state, arn }: ObservedKey, ...allowed: readonly KeyState[]): void {
  if (state !== "Enabled" && !allowed.includes(state)) throw stateError(state, arn);
}

/** The states in which the metadata of a key may be changed: all but PendingDeletion. */
export const NOT_PENDING_DELETION: readonly KeyState[] = ["Creating", "Disabled", "Enabled", "PendingImport"];
