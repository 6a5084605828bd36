/** A look costs some microseconds: callers that need a fresh keyring get one at most this often. */
const FRESH_MILLISECONDS = 5;
/** Ten thousand keys take a while to read: looks never take more than a tenth of the time. */
const SHARE = 10;

/** How soon a file that callers want to see fresh is looked at again. */
export class LookPace {
  readonly #look: () => void;
  readonly #now: () => number;
  #next = Number.NEGATIVE_INFINITY;

  /** `now` returns milliseconds of a clock that never steps. */
  constructor(look: () => void, now = () => performance.now()) {
    this.#look = look;
    this.#now = now;
  }

  /** Looks unless the last look was a moment ago. */
  lookIfDue(): void {
    if (this.#now() >= this.#next) this.look();
  }

  /** Makes a look, and measures it. */
  look(): void {
    const began = this.#now();
    this.#look();
    const ended = this.#now();
    this.#next = ended + Math.max(FRESH_MILLISECONDS, SHARE * (ended - began));
  }
}
