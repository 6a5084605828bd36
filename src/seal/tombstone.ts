import { canonicalContext } from "../crypto/context.ts";
import { isProof, prove } from "./proof.ts";
import type { SealBinding, Sealed } from "./seal.ts";
import type { SealSource } from "./seal-source.ts";

/** The contents of a tombstone, which its proof binds. */
export interface TombstoneText extends Pick<SealBinding, "keyId" | "versionId" | "number"> {
  /** RFC 3339. */
  readonly destroyedAt: string;
  readonly reason: string;
}

/**
 * Proves a tombstone. Only a holder of the root key can do so, and nobody who may merely write KeyVersions
 * can have material destroyed. Throws SealUnavailable.
 */
export const proveTombstone = (seals: SealSource, text: TombstoneText): Promise<Sealed> =>
  prove(seals, tombstoneAad(text));

/**
 * Returns true if the proof was made under this root key for this text. Throws SealUnavailable if there is no
 * root key.
 */
export const isProven = (seals: SealSource, text: TombstoneText, proof: Sealed): Promise<boolean> =>
  isProof(seals, tombstoneAad(text), proof);

/** The names differ from those of a version's seal, so neither opens as the other. */
const tombstoneAad = ({ keyId, versionId, number, destroyedAt, reason }: TombstoneText): Buffer =>
  canonicalContext({ keyId, versionId, number: String(number), destroyedAt, reason });
