import { createHash } from "node:crypto";
import { Secret } from "../crypto/secret.ts";
import { codeOf } from "../errors.ts";
import type { Sealed } from "./seal.ts";
import type { SealSource } from "./seal-source.ts";

/**
 * Proves a statement: its SHA-256, sealed under the root key like material, with the statement itself as
 * associated data. Only a holder of the root key can make such a proof. `statement` is a canonical context
 * (crypto/context.ts). Throws SealUnavailable.
 */
export function prove(seals: SealSource, statement: Uint8Array): Promise<Sealed> {
  return seals.forSealing().wrap(Secret.take(digest(statement)), statement);
}

/**
 * Returns true if `proof` was made for `statement` under this node's root key. Throws SealUnavailable if
 * there is none.
 */
export async function isProof(seals: SealSource, statement: Uint8Array, proof: Sealed): Promise<boolean> {
  try {
    const opened = await seals.get().unwrap(proof, statement);
    if (!("material" in opened)) return false;
    using material = opened.material;
    return digest(statement).equals(material.exposeSecretBytes());
  } catch (error) {
    if (codeOf(error) === "SealMismatch") return false;
    throw error;
  }
}

const digest = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
