import type { UnreadableRow } from "../rows.ts";
import type { KeyringSnapshot } from "../tables/snapshot.ts";
import { expiryTime } from "../tables/waiting-periods.ts";

/** An operator that doubts this node's clock repeats it every minute. */
const DOUBT_MILLISECONDS = 180_000;
const EMPTY: KeyringSnapshot = {
  keys: new Map(),
  unreadableKeys: [],
  aliases: new Map(),
  unreadableAliases: [],
  time: undefined,
  servedImports: undefined,
  removedAliases: undefined,
  followedKinds: new Set(),
  changes: new Map(),
};

/** The small tables of a keyring as they were last read, and when the operator last wrote of time. */
export class LatestSnapshot {
  #rows = EMPTY;
  #read: KeyringSnapshot | undefined;
  /** By a clock that never steps. */
  #timeHeardAt = Number.NEGATIVE_INFINITY;

  /** The rows to serve. */
  get rows(): KeyringSnapshot {
    return this.#rows;
  }

  /** The rows as the file that is open has them; undefined before they are read. */
  get read(): KeyringSnapshot | undefined {
    return this.#read;
  }

  /** Another file is opened next. The rows continue to be served. */
  forgetFile(): void {
    this.#read = undefined;
  }

  /** Replaces the rows by those that were read now. A row that cannot be read any more stays as it was. */
  take(now: KeyringSnapshot): void {
    if (now.time?.seen !== this.#rows.time?.seen) this.#timeHeardAt = performance.now();
    const { keys, aliases } = this.#rows;
    this.#rows = {
      ...now,
      keys: now.keys === this.#read?.keys ? keys : withLost(now.keys, keys, now.unreadableKeys),
      aliases:
        now.aliases === this.#read?.aliases ? aliases : withLost(now.aliases, aliases, now.unreadableAliases),
    };
    this.#read = now;
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
function withLost<T>(
  rows: ReadonlyMap<string, T>,
  before: ReadonlyMap<string, T>,
  unreadable: readonly UnreadableRow[],
): ReadonlyMap<string, T> {
  if (unreadable.length === 0) return rows;
  // An unreadable row is named by its kind and NAMESPACE/NAME.
  const lost = new Set(unreadable.map(({ name }) => name.slice(name.indexOf(" ") + 1)));
  return new Map([...[...before].filter(([name]) => lost.has(name)), ...rows]);
}
