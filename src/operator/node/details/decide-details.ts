import { isDeepStrictEqual } from "node:util";
import { parseKeyId, parseVersionId } from "../../../crypto/ids.ts";
import type { KeyDetails } from "../../../keyring/tables/key-details.ts";
import type { VersionDetails } from "../../../keyring/tables/version-details.ts";
import { objectName } from "../../../resources/object-text.ts";
import type { KeyVersion, MasterKey } from "../../../resources/resources.ts";
import { DEFAULT_ROTATION_DAYS } from "../../../resources/schemas/rotation.ts";
import { parseTime } from "../../../times.ts";

/** Returns what describes a MasterKey; undefined until it has a keyId. */
export function detailsOfKey(masterKey: MasterKey): KeyDetails | undefined {
  const { metadata, spec, status } = masterKey;
  if (status?.keyId === undefined) return undefined;
  const { description, tags, keySpec, keyUsage, origin } = spec;
  return {
    ...objectName(masterKey),
    keyId: parseKeyId(status.keyId),
    createdAt: parseTime(metadata.creationTimestamp) ?? 0,
    ...{ keySpec, keyUsage, origin, description, tags },
    rotation: rotationOf(masterKey),
  };
}

function rotationOf({ spec, status }: MasterKey): KeyDetails["rotation"] {
  const { enabled = false, periodInDays = DEFAULT_ROTATION_DAYS } = spec.rotation ?? {};
  const nextAt = parseTime(status?.rotation?.nextRotationTime);
  const { running } = status?.rotation ?? {};
  const isWaited = running?.trigger === "OnDemand" && running.phase === "Distributing";
  const onDemandStartedAt = isWaited ? parseTime(running.startedAt) : undefined;
  return {
    enabled,
    periodInDays,
    ...(nextAt !== undefined && { nextAt }),
    ...(onDemandStartedAt !== undefined && { onDemandStartedAt }),
  };
}

/** Returns when and why a version became current; undefined if it has not. */
export function detailsOfVersion({ spec, status }: KeyVersion): VersionDetails | undefined {
  const promotedAt = parseTime(status?.promotedAt);
  if (promotedAt === undefined) return undefined;
  const versionId = parseVersionId(spec.versionId);
  return { versionId, promotedAt, ...(status?.trigger !== undefined && { trigger: status.trigger }) };
}

/** Returns the record of a key to store; undefined if the stored record says the same. */
export function decideKeyDetails(wanted: KeyDetails, stored: KeyDetails | undefined): KeyDetails | undefined {
  if (stored?.keyId !== wanted.keyId) return wanted;
  const next = { ...wanted, createdAt: Math.min(wanted.createdAt, stored.createdAt) };
  return isDeepStrictEqual(next, stored) ? undefined : next;
}
