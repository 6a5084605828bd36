import { newVersionId } from "../crypto/ids.ts";
import type { Secret } from "../crypto/secret.ts";
import type { VersionIdentity, VersionRow } from "../keyring/rows.ts";
import { proveOwnership } from "../seal/ownership.ts";
import { sealAad } from "../seal/seal.ts";
import type { SealSource } from "../seal/seal-source.ts";

/** The description of a new version, before it has an id. */
export interface NewVersion extends Omit<VersionIdentity, "versionId"> {
  readonly materialId?: string;
  /** Epoch milliseconds. */
  readonly validTo?: number;
}

/** Makes a version of `material`: seals the material and proves the version's owner. Throws SealUnavailable. */
export async function sealVersion(
  seals: SealSource,
  version: NewVersion,
  material: Secret,
): Promise<VersionRow> {
  const identity = { ...version, versionId: newVersionId() };
  const sealed = await seals.forSealing().wrap(material, sealAad(identity));
  return { ...identity, sealed, ownership: await proveOwnership(seals, identity, 1) };
}
