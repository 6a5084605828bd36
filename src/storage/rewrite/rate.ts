interface Sample {
  readonly at: number;
  readonly done: number;
}

const WINDOW_MILLISECONDS = 30_000;
const SPACING_MILLISECONDS = 1_000;

/**
 * The rate of work over the last half minute. Times are in milliseconds, of any clock that never goes back.
 */
export class Rate {
  readonly #samples: Sample[];

  constructor(now: number) {
    this.#samples = [{ at: now, done: 0 }];
  }

  /** Records how much has been done so far. */
  observe(now: number, done: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && now - last.at < SPACING_MILLISECONDS) return;
    this.#samples.push({ at: now, done });
    while (this.#samples.length > 2 && now - (this.#samples[0]?.at ?? now) > WINDOW_MILLISECONDS) {
      this.#samples.shift();
    }
  }

  /** Returns 0 before any time has passed. */
  perSecond(now: number, done: number): number {
    const oldest = this.#samples[0];
    if (oldest === undefined || now <= oldest.at) return 0;
    return (done - oldest.done) / ((now - oldest.at) / 1000);
  }
}
