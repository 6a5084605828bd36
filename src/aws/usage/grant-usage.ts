import type { GrantUses } from "../../keyring/usage/grant-usage.ts";

/** An end of a grant that this process has not heard of, or the grant itself, reaches it within this time. */
const KEPT_MILLISECONDS = 10 * 60_000;

interface Count {
  uses: number;
  lastAt: number;
}

/** The uses of grants by this process, in memory: a request costs one entry of a map. */
export class GrantUsage {
  readonly #counts: Map<string, Count>;
  #changed = false;

  /** Begins with what the process knew when it ended. */
  constructor(uses: GrantUses) {
    this.#counts = new Map([...uses].map(([grantId, use]) => [grantId, { ...use }]));
  }

  /** Notes a request that these grants have allowed. `at` is in epoch milliseconds. */
  note(grantIds: Iterable<string>, at: number): void {
    for (const grantId of grantIds) {
      const count = this.#counts.get(grantId);
      if (count === undefined) this.#counts.set(grantId, { uses: 1, lastAt: at });
      else {
        count.uses += 1;
        count.lastAt = Math.max(count.lastAt, at);
      }
      this.#changed = true;
    }
  }

  get uses(): GrantUses {
    return this.#counts;
  }

  /** Forgets grants that have ended and were not used lately. */
  forget(isGood: (grantId: string) => boolean, now: number): void {
    for (const [grantId, { lastAt }] of this.#counts)
      if (!isGood(grantId) && now - lastAt > KEPT_MILLISECONDS) this.#counts.delete(grantId);
  }

  /** Returns true if something was noted since the last call. */
  takeChanged(): boolean {
    const changed = this.#changed;
    this.#changed = false;
    return changed;
  }
}
