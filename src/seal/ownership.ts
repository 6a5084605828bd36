import { canonicalContext } from "../crypto/context.ts";
import type { Origin } from "../crypto/key-specs.ts";
import { isProof, prove } from "./proof.ts";
import type { SealBinding, Sealed } from "./seal.ts";
import type { SealSource } from "./seal-source.ts";

/** What an ownership proof binds to a version, beyond what the version's seal does. */
export interface OwnershipText extends SealBinding {
  /** The MasterKey that the version belongs to. */
  readonly masterKey: { readonly namespace: string; readonly name: string };
  readonly origin: Origin;
  /** Tells imported material from other material of its key. */
  readonly materialId?: string;
  /** Until when imported material may be used, in epoch milliseconds; the proof binds whole seconds. */
  readonly validTo?: number;
}

/**
 * Says under the root key which MasterKey a version belongs to and until when its material may be
 * used. The version's seal binds neither. A proof of a higher revision replaces one of a lower:
 * nobody can put an older validTo back.
 */
export interface Ownership {
  /** From 1, and one more with every proof of the version. */
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

/** Returns whether the proof was made under this node's root key for this very text. Throws SealUnavailable. */
export const isOwnershipProven = (
  seals: SealSource,
  text: OwnershipText,
  { revision, proof }: Ownership,
): Promise<boolean> => isProof(seals, ownershipStatement(text, revision), proof);

/** docs/formats.md, Ownership proof. Its names differ from those of seals and tombstones: none opens as another. */
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
