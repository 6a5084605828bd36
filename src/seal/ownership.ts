import { canonicalContext } from "../crypto/context.ts";
import type { Origin } from "../crypto/key-specs.ts";
import { isProof, prove } from "./proof.ts";
import type { SealBinding, Sealed } from "./seal.ts";
import type { SealSource } from "./seal-source.ts";

/** The data that an ownership proof binds to a version, in addition to those of the version's seal. */
export interface OwnershipText extends SealBinding {
  /** The MasterKey that the version belongs to. */
  readonly masterKey: { readonly namespace: string; readonly name: string };
  readonly origin: Origin;
  /** Identifies imported material among the material of its key. */
  readonly materialId?: string;
  /**
   * The time until which imported material may be used, in epoch milliseconds; the proof binds whole seconds.
   */
  readonly validTo?: number;
}

/**
 * A statement under the root key of the MasterKey that a version belongs to and of its material's expiry,
 * which the version's seal does not bind. A proof with a higher revision replaces one with a lower, so nobody
 * can restore an older validTo.
 */
export interface Ownership {
  /** From 1, incremented with every proof of the version. */
  readonly revision: number;
  readonly proof: Sealed;
}

/** Proves a version's ownership. Throws SealUnavailable. */
export async function proveOwnership(
  seals: SealSource,
  text: OwnershipText,
  revision: number,
): Promise<Ownership> {
  return { revision, proof: await prove(seals, ownershipStatement(text, revision)) };
}

/**
 * Returns true if the proof was made under this node's root key for this very text. Throws SealUnavailable.
 */
export const isOwnershipProven = (
  seals: SealSource,
  text: OwnershipText,
  { revision, proof }: Ownership,
): Promise<boolean> => isProof(seals, ownershipStatement(text, revision), proof);

/**
 * docs/formats.md, Ownership proof. Its names differ from those of seals and tombstones, so none opens as
 * another.
 */
export const ownershipStatement = (text: OwnershipText, revision: number): Buffer =>
  canonicalContext({
    keyId: text.keyId,
    versionId: text.versionId,
    number: String(text.number),
    keySpec: text.keySpec,
    keyUsage: text.keyUsage,
    origin: text.origin,
    ownerNamespace: text.masterKey.namespace,
    ownerName: text.masterKey.name,
    materialId: text.materialId ?? "",
    validTo: text.validTo === undefined ? "" : String(Math.floor(text.validTo / 1000)),
    revision: String(revision),
  });
