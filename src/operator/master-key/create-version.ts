import type { Secret } from "../../crypto/secret.ts";
import type { VersionRow } from "../../keyring/rows.ts";
import { sealVersion } from "../../keys/seal-version.ts";
import { keyVersionName, toKeyVersionSpec } from "../../resources/key-version-rows.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import type { KeyVersionCreation } from "../../store/roles.ts";
import { atWritePoint } from "../../write-points.ts";

/** The stores that a new version passes: the root key seals it, the API server keeps it. */
export interface VersionStores {
  readonly store: KeyVersionCreation;
  readonly seals: SealSource;
}

/** The part of a new version that its MasterKey does not say. */
export type NextVersion = Pick<VersionRow, "keyId" | "number" | "materialId" | "validTo">;

/**
 * Seals `material` and creates the KeyVersion that holds it. The KeyVersion's name lets one of two
 * leaders win. Throws SealUnavailable, Conflict if the name is taken, or ApiServer.
 */
export async function createVersion(
  { store, seals }: VersionStores,
  { metadata, spec }: MasterKey,
  { keyId, number, materialId, validTo }: NextVersion,
  material: Secret,
): Promise<void> {
  const { keySpec, keyUsage, origin } = spec;
  const masterKey = { namespace: metadata.namespace ?? "", name: metadata.name };
  const imported = {
    ...(materialId !== undefined && { materialId }),
    ...(validTo !== undefined && { validTo }),
  };
  const identity = { keyId, number, masterKey, keySpec, keyUsage, origin, ...imported };
  const version = await sealVersion(seals, identity, material);
  await atWritePoint("keyversion.create", () =>
    store.createKeyVersion(keyVersionName(version), toKeyVersionSpec(version)),
  );
}
