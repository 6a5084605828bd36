import { isBusy, retryAfterOf } from "../kube/unanswered.ts";

/** While the API server answers nobody, a single item is tried for all, at least at this pace. */
const MAX_HOLD_MILLISECONDS = 10_000;
/**
 * This many failures of any items without a success in between are unlikely to be those of single items. They
 * may still be a single tenant's, so the pauses of all are short.
 */
const FAILURES_OF_ALL = 8;
const MAX_HOLD_OF_FAILURES_MILLISECONDS = 1_000;

/** Says until when a whole queue waits: if nobody gets an answer, other items would fail in the same way. */
export class QueueHold {
  readonly #delayAfter: (tries: number, most: number) => number;
  #until = 0;
  #unanswered = 0;
  #failedInARow = 0;

  constructor(delayAfter: (tries: number, most: number) => number) {
    this.#delayAfter = delayAfter;
  }

  /** The time until which nothing is worked on, by performance.now(). */
  get until(): number {
    return this.#until;
  }

  succeeded(): void {
    this.#unanswered = 0;
    this.#failedInARow = 0;
  }

  failed(error: unknown, now: number): void {
    this.#failedInARow += 1;
    const busy = isBusy(error);
    if (busy) this.#unanswered += 1;
    const tries = busy ? this.#unanswered - 1 : this.#failedInARow - FAILURES_OF_ALL;
    if (tries < 0) return;
    const most = busy ? MAX_HOLD_MILLISECONDS : MAX_HOLD_OF_FAILURES_MILLISECONDS;
    const hold = Math.max(retryAfterOf(error) ?? 0, this.#delayAfter(tries, most));
    this.#until = Math.max(this.#until, now + hold);
  }
}
