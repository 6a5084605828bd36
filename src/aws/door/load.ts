/** A client waits this long at most for the requests before its own. */
const LONGEST_TURN_MILLISECONDS = 100;

/** What overload is measured with; tests have their own. */
export interface LoadParts {
  /** Milliseconds of a clock that never steps. */
  readonly now: () => number;
  /** Calls back once everything that has arrived by now is done. */
  readonly afterTurn: (callback: () => void) => void;
}

const PARTS: LoadParts = {
  now: () => performance.now(),
  afterTurn: (callback) => void setImmediate(callback),
};

/**
 * Measures how long this process has worked on the requests that arrived together. In each turn of its loop it
 * takes all that wait, one after the other: the longer the turn, the longer the last of them has waited.
 */
export class Load {
  readonly #parts: LoadParts;
  #began: number | undefined;

  constructor(parts = PARTS) {
    this.#parts = parts;
  }

  /** Returns true if a request that is taken now has waited too long: it should be shed. */
  isTooHigh(): boolean {
    const now = this.#parts.now();
    if (this.#began !== undefined) return now - this.#began > LONGEST_TURN_MILLISECONDS;
    this.#began = now;
    this.#parts.afterTurn(() => {
      this.#began = undefined;
    });
    return false;
  }
}
