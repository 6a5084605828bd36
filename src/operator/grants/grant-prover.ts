import type { GrantRow } from "../../keyring/grant-row.ts";
import type { KeyGrantStatus } from "../../resources/schemas/key-grant.ts";
import { isProof, prove } from "../../seal/proof.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import { grantStatement } from "./grant-record.ts";

type Proof = NonNullable<KeyGrantStatus["proof"]>;

/** Proves that a grant was accepted. Throws SealUnavailable. */
export async function proveGrant(seals: SealSource, row: GrantRow): Promise<Proof> {
  const { provider, rootKeyId, blob } = await prove(seals, grantStatement(row));
  return { provider, rootKeyId, sealed: Buffer.from(blob).toString("base64") };
}

/** Returns true if the proof was made under this node's root key for this very grant. Throws SealUnavailable. */
export function isGrantProven(
  seals: SealSource,
  row: GrantRow,
  { provider, rootKeyId, sealed }: Proof,
): Promise<boolean> {
  return isProof(seals, grantStatement(row), { provider, rootKeyId, blob: Buffer.from(sealed, "base64") });
}
