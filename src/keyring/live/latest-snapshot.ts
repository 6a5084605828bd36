import type { KeyringSnapshot } from "../reader.ts";
import { expiryTime } from "../tables/waiting-periods.ts";

/** An operator that doubts this node's clock repeats it every minute. */
const DOUBT_MILLISECONDS = 180_000;
const EMPTY: KeyringSnapshot = { keys: new Map(), aliases: new Map(), unreadable: [] };

/** The small tables of a keyring as they were last read, and when the operator last wrote of time. */
export class LatestSnapshot {
  #rows = EMPTY;
  /** By a clock that never steps. */
  #timeHeardAt = Number.NEGATIVE_INFINITY;

  get rows(): KeyringSnapshot {
    return this.#rows;
  }

  /** Replaces the rows by those that were read now. A row that cannot be read any more stays as it was. */
  take(now: KeyringSnapshot): void {
    if (now.time?.seen !== this.#rows.time?.seen) this.#timeHeardAt = performance.now();
    this.#rows = withFormer(now, this.#rows);
  }

  /**
   * Returns the time by which material expires, in epoch milliseconds: see `expiryTime`. An operator that
   * doubts this node's clock repeats it; if the operator is gone, its last report does not count.
   */
  expiryTime(now: number): number {
    const { time } = this.#rows;
    const passed = performance.now() - this.#timeHeardAt;
    return time === undefined || passed >= DOUBT_MILLISECONDS ? now : expiryTime(time, passed, now);
  }
}

/** A key or alias that cannot be read any more keeps its former row, so that it is still served. */
function withFormer(now: KeyringSnapshot, former: KeyringSnapshot): KeyringSnapshot {
  const lost = new Set(now.unreadable.map(({ name }) => name));
  const kept = <T>(kind: string, rows: ReadonlyMap<string, T>, before: ReadonlyMap<string, T>) =>
    new Map([...[...before].filter(([name]) => lost.has(`${kind} ${name}`)), ...rows]);
  return {
    ...now,
    keys: kept("MasterKey", now.keys, former.keys),
    aliases: kept("KeyAlias", now.aliases, former.aliases),
  };
}
