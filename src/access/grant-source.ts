import type { KeyId } from "../crypto/ids.ts";
import type { GrantRow } from "../keyring/grant-row.ts";

/** The grants that a decision asks for. */
export interface GrantSource {
  /** Returns the grants of one key to one principal. */
  granted(keyId: KeyId, granteePrincipal: string): Iterable<GrantRow>;
  /** Returns a grant by its id, an ended grant too as long as its row is kept. */
  get(grantId: string): GrantRow | undefined;
}

/** A source without grants. */
export const NO_GRANTS: GrantSource = { granted: () => [], get: () => undefined };
