import type { KeyRow } from "../../../keyring/rows.ts";
import type { MasterKey } from "../../../resources/resources.ts";
import { timeOf } from "../../../times.ts";
import type { AwsKeys } from "../../keys/aws-keys.ts";
import { type KeyMetadata, metadataOf } from "../../keys/key-metadata.ts";
import type { KeyState } from "../../keys/key-state.ts";

/** Returns the facts of a key that was just created, as its MasterKey says them. */
export function createdMetadata(
  { metadata, spec, status }: MasterKey,
  row: KeyRow,
  keys: AwsKeys,
): Promise<KeyMetadata> {
  const state: KeyState =
    keys.current(row) !== undefined
      ? "Enabled"
      : status?.keyState === "PendingImport"
        ? "PendingImport"
        : "Creating";
  return metadataOf({ ...spec, createdAt: timeOf(metadata.creationTimestamp) }, row, state, keys);
}
