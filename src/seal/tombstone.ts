import { canonicalContext } from "../crypto/context.ts";
import { isProof, prove } from "./proof.ts";
import type { SealBinding, Sealed } from "./seal.ts";
import type { SealSource } from "./seal-source.ts";

/** What a tombstone says, and its proof binds. */
export interface TombstoneText extends Pick<SealBinding, "keyId" | "versionId" | "number"> {
  /** RFC 3339. */
  readonly destroyedAt: string;
  readonly reason: string;
}

/**
 * The proof of a tombstone. Only who holds the root key can make one, so that nobody who may
 * merely write KeyVersions can have material destroyed. Throws SealUnavailable.
 */
export const proveTombstone = (seals: SealSource, text: TombstoneText): Promise<Sealed> =>
  prove(seals, tombstoneAad(text));

/** Whether the proof is this root key's, for this text. Throws SealUnavailable where there is no root key. */
export const isProven = (seals: SealSource, text: TombstoneText, proof: Sealed): Promise<boolean> =>
  isProof(seals, tombstoneAad(text), proof);

/** Other names than those of a version's seal: neither opens as the other. */
const tombstoneAad = ({ keyId, versionId, number, destroyedAt, reason }: TombstoneText): Buffer =>
  canonicalContext({ keyId, versionId, number: String(number), destroyedAt, reason });
