import type { KeyId } from "../../crypto/ids.ts";
import { ENDED_GRANT_MILLISECONDS, type GrantEnd, type GrantRow } from "../../keyring/grant-row.ts";
import type { KeyGrant } from "../../resources/resources.ts";
import { grantIdOf, grantRowOf } from "./grant-record.ts";

/** The key of an ended grant that was never accepted. No key has this id. */
const NO_KEY = "00000000-0000-0000-0000-000000000000" as KeyId;

/**
 * Plans what this node records for one name of a KeyGrant. `grant` is the object of that name, if there is one;
 * `rows` are this node's records of the name; `proven` is true if the grant's proof was made under the root key
 * (`needsProof`). Returns the rows to write.
 *
 * An ended grant never comes back. An accepted grant stays, whatever its status says: only its own end, its
 * expiry and its deletion end it.
 */
export function planGrant(
  grant: KeyGrant | undefined,
  rows: readonly GrantRow[],
  proven: boolean,
  { account, now }: { readonly account: string; readonly now: number },
): readonly GrantRow[] {
  const grantId = grant && grantIdOf(grant);
  const gone = rows
    .filter((row) => row.grantId !== grantId && row.ended === undefined)
    .map((row) => ({ ...row, ended: { phase: "Revoked", at: now } as const }));
  if (grant === undefined) return gone;
  const held = rows.find((row) => row.grantId === grantId);
  if (held?.ended !== undefined) return gone;
  const phase = endOf(grant);
  const accepted = grant.status?.keyId as KeyId | undefined;
  const row = held ?? grantRowOf(grant, accepted ?? NO_KEY, account);
  const mayHaveToken = held !== undefined || accepted !== undefined || isYoung(row, now);
  if (phase !== undefined) return mayHaveToken ? [...gone, { ...row, ended: { phase, at: now } }] : gone;
  return held === undefined && proven ? [...gone, row] : gone;
}

/** A grant that was created lately may have a token, although it was not accepted yet. */
const isYoung = ({ createdAt }: GrantRow, now: number): boolean => now - createdAt < ENDED_GRANT_MILLISECONDS;

const endOf = ({ spec, metadata }: KeyGrant): GrantEnd["phase"] | undefined =>
  spec.ended ?? (metadata.deletionTimestamp === undefined ? undefined : "Revoked");

/** Returns the row that a grant's proof must be for; undefined if no proof is needed to decide. */
export function needsProof(
  grant: KeyGrant | undefined,
  rows: readonly GrantRow[],
  account: string,
): GrantRow | undefined {
  const keyId = grant?.status?.keyId as KeyId | undefined;
  if (grant === undefined || keyId === undefined || grant.status?.proof === undefined) return undefined;
  if (endOf(grant) !== undefined || rows.some((row) => row.grantId === grantIdOf(grant))) return undefined;
  return grantRowOf(grant, keyId, account);
}
