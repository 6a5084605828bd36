import { createHash } from "node:crypto";
import { canonicalContext } from "../crypto/context.ts";
import { Secret } from "../crypto/secret.ts";
import { codeOf } from "../errors.ts";
import type { SealBinding, Sealed } from "./seal.ts";
import type { SealSource } from "./seal-source.ts";

/** What a tombstone says, and its proof binds. */
export interface TombstoneText extends Pick<SealBinding, "keyId" | "versionId" | "number"> {
  /** RFC 3339. */
  readonly destroyedAt: string;
  readonly reason: string;
}

/**
 * The proof of a tombstone: its text's hash, sealed as material is, with the
 * text as AAD. Only who holds the root key can make one, so that nobody who may
 * merely write KeyVersions can have material destroyed.
 */
export function proveTombstone(seals: SealSource, text: TombstoneText): Promise<Sealed> {
  const aad = tombstoneAad(text);
  return seals.forSealing().wrap(Secret.take(digest(aad)), aad);
}

/** Whether the proof is this root key's, for this text. Throws SealUnavailable where there is no root key. */
export async function isProven(seals: SealSource, text: TombstoneText, proof: Sealed): Promise<boolean> {
  const aad = tombstoneAad(text);
  try {
    const opened = await seals.get().unwrap(proof, aad);
    return "material" in opened && digest(aad).equals(opened.material.exposeSecretBytes());
  } catch (error) {
    if (codeOf(error) === "SealMismatch") return false;
    throw error;
  }
}

/** Other names than those of a version's seal: neither opens as the other. */
const tombstoneAad = ({ keyId, versionId, number, destroyedAt, reason }: TombstoneText): Buffer =>
  canonicalContext({ keyId, versionId, number: String(number), destroyedAt, reason });

const digest = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
