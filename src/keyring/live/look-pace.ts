/** A look that takes no longer than this is made for each request: only so does a caller always see its own change. */
const CHEAP_MILLISECONDS = 5;
/** Ten thousand keys take a while to read: looks that cost so much never take more than a tenth of the time. */
const SHARE = 10;

/** The processor time of this thread, in milliseconds: a busy machine makes no look look expensive. */
const threadTime = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};

/** How soon a file that callers want to see fresh is looked at again. */
export class LookPace {
  readonly #look: () => void;
  readonly #now: () => number;
  readonly #cost: () => number;
  #next = Number.NEGATIVE_INFINITY;

  /** `now` returns milliseconds of a clock that never steps, `cost` the milliseconds that this thread has computed. */
  constructor(look: () => void, now = () => performance.now(), cost = threadTime) {
    this.#look = look;
    this.#now = now;
    this.#cost = cost;
  }

  /** Looks, unless looks have cost too much lately. Returns true if it has looked. */
  lookIfDue(): boolean {
    if (this.#now() < this.#next) return false;
    this.look();
    return true;
  }

  /** Makes a look, and measures it. */
  look(): void {
    const before = this.#cost();
    this.#look();
    const cost = this.#cost() - before;
    this.#next = cost > CHEAP_MILLISECONDS ? this.#now() + SHARE * cost : Number.NEGATIVE_INFINITY;
  }
}
