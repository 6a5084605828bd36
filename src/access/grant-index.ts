import type { KeyId } from "../crypto/ids.ts";
import type { GrantRow } from "../keyring/grant-row.ts";
import type { GrantSource } from "./grant-source.ts";
import { isInTime } from "./grant-terms.ts";

type Grants = Map<string, GrantRow>;

/**
 * The grants of a node in memory. A decision looks at the grants of its key to its principal only, so that its
 * cost does not grow with any others.
 */
export class GrantIndex implements GrantSource {
  readonly #byId: Grants = new Map();
  readonly #byGrantee = new Map<string, Grants>();
  readonly #byKey = new Map<string, Grants>();
  readonly #byRetiring = new Map<string, Grants>();

  get size(): number {
    return this.#byId.size;
  }

  /** Stores a grant in place of the former grant of its id. */
  put(grant: GrantRow): void {
    this.delete(grant.grantId);
    this.#byId.set(grant.grantId, grant);
    for (const { of, key } of this.#placesOf(grant)) {
      const grants = of.get(key) ?? new Map<string, GrantRow>();
      grants.set(grant.grantId, grant);
      of.set(key, grants);
    }
  }

  delete(grantId: string): void {
    const grant = this.#byId.get(grantId);
    if (grant === undefined) return;
    this.#byId.delete(grantId);
    for (const { of, key } of this.#placesOf(grant)) {
      const grants = of.get(key);
      grants?.delete(grantId);
      if (grants?.size === 0) of.delete(key);
    }
  }

  clear(): void {
    for (const map of [this.#byId, this.#byGrantee, this.#byKey, this.#byRetiring]) map.clear();
  }

  get(grantId: string): GrantRow | undefined {
    return this.#byId.get(grantId);
  }

  granted(keyId: KeyId, granteePrincipal: string): Iterable<GrantRow> {
    return this.#byGrantee.get(granteeKey(keyId, granteePrincipal))?.values() ?? [];
  }

  /** Returns all grants of a key. */
  ofKey(keyId: KeyId): Iterable<GrantRow> {
    return this.#byKey.get(keyId)?.values() ?? [];
  }

  /** Returns true if a key has so many grants that have neither ended nor expired. `now` is in epoch milliseconds. */
  hasAtLeast(keyId: KeyId, most: number, now: number): boolean {
    const grants = this.#byKey.get(keyId);
    if (grants === undefined || grants.size < most) return false;
    return [...grants.values()].filter((row) => row.ended === undefined && isInTime(row, now)).length >= most;
  }

  /** Returns the grants that name a principal as their retiring principal. */
  retirableBy(principal: string): Iterable<GrantRow> {
    return this.#byRetiring.get(principal)?.values() ?? [];
  }

  #placesOf({ keyId, granteePrincipal, retiringPrincipal }: GrantRow) {
    return [
      { of: this.#byGrantee, key: granteeKey(keyId, granteePrincipal) },
      { of: this.#byKey, key: keyId },
      ...(retiringPrincipal === undefined ? [] : [{ of: this.#byRetiring, key: retiringPrincipal }]),
    ];
  }
}

const granteeKey = (keyId: KeyId, principal: string): string => `${keyId} ${principal}`;
