import type { MasterKey } from "../../resources/resources.ts";

/** The MasterKeys of a view by the keyId that their status claims. */
export class KeyIdClaims {
  readonly #claims = new Map<string, Set<MasterKey>>();

  put(masterKey: MasterKey): void {
    const keyId = masterKey.status?.keyId;
    if (keyId === undefined) return;
    this.#claims.set(keyId, (this.#claims.get(keyId) ?? new Set()).add(masterKey));
  }

  take(masterKey: MasterKey): void {
    const keyId = masterKey.status?.keyId ?? "";
    const claimants = this.#claims.get(keyId);
    claimants?.delete(masterKey);
    if (claimants?.size === 0) this.#claims.delete(keyId);
  }

  of(keyId: string): Iterable<MasterKey> {
    return this.#claims.get(keyId) ?? [];
  }
}
