import { isLater, type KeyRow } from "../../../keyring/rows.ts";
import type { AwsKeys, DatedVersion } from "../../keys/aws-keys.ts";

/** A material of a key, as ListKeyRotations answers it. */
export interface RotationEntry {
  readonly KeyId: string;
  readonly KeyMaterialId: string;
  readonly KeyMaterialState: MaterialState;
  readonly ImportState?: "IMPORTED" | "PENDING_IMPORT";
  readonly ExpirationModel?: "KEY_MATERIAL_EXPIRES" | "KEY_MATERIAL_DOES_NOT_EXPIRE";
  readonly ValidTo?: Date;
  readonly RotationDate?: Date;
  readonly RotationType?: "AUTOMATIC" | "ON_DEMAND";
}

type MaterialState = "CURRENT" | "NON_CURRENT" | "PENDING_ROTATION";

/** A version of a key, with the state of its material. */
export interface RotatedVersion extends DatedVersion {
  readonly state: MaterialState;
}

/**
 * Returns the materials of a key, the first first. A version that claviger made and is still bringing to the nodes
 * is none yet. Without `all` neither the first material is among them, nor imported material that waits for a
 * rotation, nor a rotation that was done a moment ago and has no date yet.
 */
export function rotatedVersions(key: KeyRow, all: boolean, keys: AwsKeys): readonly RotatedVersion[] {
  return keys
    .versions(key)
    .map((dated) => ({ ...dated, state: stateOf(dated, key) }))
    .filter(({ version, details, state }) => {
      if (state === "PENDING_ROTATION") return all && version.origin === "EXTERNAL";
      const isDated = state !== "CURRENT" || details !== undefined;
      return all || (version.number > 1 && isDated);
    });
}

function stateOf({ version }: DatedVersion, { current }: KeyRow): MaterialState {
  if (current === undefined || isLater(version, current)) return "PENDING_ROTATION";
  return current.versionId === version.versionId ? "CURRENT" : "NON_CURRENT";
}

/** AWS KMS has no rotation that brings restored versions back. */
const TYPES = {
  Automatic: "AUTOMATIC",
  OnDemand: "ON_DEMAND",
  Imported: "ON_DEMAND",
  Restored: undefined,
} as const;

/** Returns the answer for one material. `now` is in epoch milliseconds. */
export async function rotationEntry(
  { version, details, state }: RotatedVersion,
  keys: AwsKeys,
  now: number,
): Promise<RotationEntry> {
  const { origin, validTo, number } = version;
  const RotationType = details?.trigger && TYPES[details.trigger];
  return {
    KeyId: version.keyId,
    KeyMaterialId: await keys.materialId(version),
    KeyMaterialState: state,
    ...(origin === "EXTERNAL" && {
      ImportState: keys.isExpired(version, now) ? "PENDING_IMPORT" : "IMPORTED",
      ...(validTo === undefined
        ? { ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE" }
        : { ExpirationModel: "KEY_MATERIAL_EXPIRES", ValidTo: new Date(validTo) }),
    }),
    ...(number > 1 && details !== undefined && { RotationDate: new Date(details.promotedAt) }),
    ...(number > 1 && RotationType !== undefined && { RotationType }),
  };
}
