import type { Clock } from "../../clock.ts";
import type { KeyId } from "../../crypto/ids.ts";
import { MOST_GRANTS_OF_KEY } from "../../keyring/grant-row.ts";
import type { GrantTable } from "../../keyring/tables/grants.ts";

/** How often the grants of a key that has no room are counted again: very many may wait for some. */
const RECOUNT_MILLISECONDS = 10_000;

interface Count {
  readonly at: number;
  left: number;
}

/** The grants that each key may still have. A key's grants are counted once for all the room that they leave. */
export class GrantRoom {
  readonly #grants: Pick<GrantTable, "countOf">;
  readonly #clock: Pick<Clock, "now">;
  readonly #counts = new Map<KeyId, Count>();

  constructor(grants: Pick<GrantTable, "countOf">, clock: Pick<Clock, "now">) {
    this.#grants = grants;
    this.#clock = clock;
  }

  /** Returns true if the key may have another grant. `now` is by a clock that never goes back, unlike the wall clock. */
  has(keyId: KeyId, now: number): boolean {
    const known = this.#counts.get(keyId);
    if (known !== undefined && (known.left > 0 || now - known.at < RECOUNT_MILLISECONDS))
      return known.left > 0;
    const left = MOST_GRANTS_OF_KEY - this.#grants.countOf(keyId, this.#clock.now().getTime());
    this.#counts.set(keyId, { at: now, left });
    return left > 0;
  }

  /** Call this for each grant that is accepted. */
  take(keyId: KeyId): void {
    const count = this.#counts.get(keyId);
    if (count !== undefined) count.left -= 1;
  }

  /** Counts everything again: another operator led meanwhile. */
  forget(): void {
    this.#counts.clear();
  }
}
