import { ClavigerError, messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { RateLimiter } from "../rate-limiter.ts";
import { FairLanes } from "./fair-lanes.ts";

const MIN_DELAY_MILLISECONDS = 100;
const MAX_DELAY_MILLISECONDS = 30_000;
/** News may mean that the fault is mended; it may also be that of what the failing pass wrote itself. */
const MAX_DELAY_WITH_NEWS_MILLISECONDS = 5_000;

/** Lines about failures that one namespace's keys may write to the log: a hundred at once, then one a second. */
const LOG_RATE = { burst: 100, intervalMilliseconds: 1_000 };

/**
 * Works on one key at a time, each key at most once in the queue, and again
 * later after a failure: twice as long each time, for that key alone, and with news of it
 * sooner, but not at once. Namespaces take turns: one namespace's thousands of keys delay
 * another's by one key.
 */
export class WorkQueue {
  readonly #work: (key: string) => Promise<void>;
  readonly #log: Log;
  readonly #waiting = new FairLanes<string>(namespaceOf);
  readonly #lines = new RateLimiter(LOG_RATE);
  /** Lines of each namespace that were left out of the log since its last one. */
  readonly #leftOut = new Map<string, number>();
  readonly #failures = new Map<string, number>();
  /** Until when a key that failed is left alone whatever comes, by performance.now(). */
  readonly #pauses = new Map<string, number>();
  readonly #timers = new Map<string, { readonly timer: NodeJS.Timeout; readonly due: number }>();
  #wake: (() => void) | undefined;

  #failureCount = 0;

  constructor(work: (key: string) => Promise<void>, log: Log) {
    this.#work = work;
    this.#log = log;
  }

  /** Passes that failed since the start, conflicts aside. */
  get failureCount(): number {
    return this.#failureCount;
  }

  /**
   * Asks for work on `key`: now, or where it has just failed after a pause. Adding a key
   * that waits changes nothing; one that is worked on runs again after.
   */
  add(key: string): void {
    const pause = (this.#pauses.get(key) ?? 0) - performance.now();
    if (pause > 0) this.addAfter(key, pause);
    else this.#addNow(key);
  }

  #addNow(key: string): void {
    this.#cancelTimer(key);
    this.#waiting.add(key);
    this.#wake?.();
  }

  /** Asks for work on `key` in `milliseconds`, unless it is asked for sooner. */
  addAfter(key: string, milliseconds: number): void {
    if (this.#waiting.has(key)) return;
    const due = performance.now() + milliseconds;
    if ((this.#timers.get(key)?.due ?? Number.POSITIVE_INFINITY) <= due) return;
    this.#cancelTimer(key);
    this.#timers.set(key, { due, timer: setTimeout(() => this.#addNow(key), milliseconds) });
  }

  /** Works until aborted; the key in hand is finished. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#wake?.(), { once: true });
    while (!signal.aborted) {
      const key = this.#waiting.take();
      if (key === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
      else await this.#attempt(key, signal);
    }
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  async #attempt(key: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#work(key);
      this.#failures.delete(key);
      this.#pauses.delete(key);
    } catch (error) {
      if (signal.aborted) {
        this.#log(
          "info",
          `${key} was cut short by the stop and is left to the next start: ${messageOf(error)}`,
        );
      } else this.#retry(key, error);
    }
    // Let sockets and timers have their turn between two keys.
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** A conflict only means that somebody was faster: observe again, soon and without a word. */
  #retry(key: string, error: unknown): void {
    const conflict = error instanceof ClavigerError && error.code === "Conflict";
    const failures = this.#failures.get(key) ?? 0;
    if (!conflict) {
      this.#failureCount += 1;
      this.#failures.set(key, failures + 1);
      this.#tell(key, error);
    }
    const delay = conflict ? MIN_DELAY_MILLISECONDS : MIN_DELAY_MILLISECONDS * 2 ** failures;
    const pause = Math.min(delay, MAX_DELAY_WITH_NEWS_MILLISECONDS);
    this.#pauses.set(key, performance.now() + pause);
    const hasNews = this.#waiting.delete(key);
    this.addAfter(key, hasNews ? pause : Math.min(delay, MAX_DELAY_MILLISECONDS));
  }

  #tell(key: string, error: unknown): void {
    const namespace = namespaceOf(key);
    const before = this.#leftOut.get(namespace) ?? 0;
    if (!this.#lines.take(namespace, performance.now())) {
      this.#leftOut.set(namespace, before + 1);
      return;
    }
    this.#leftOut.delete(namespace);
    const more = before === 0 ? "" : `; ${before} failures in this namespace before it were not logged`;
    this.#log("warn", `${key} failed and is tried again: ${messageOf(error)}${more}`);
  }

  #cancelTimer(key: string): void {
    clearTimeout(this.#timers.get(key)?.timer);
    this.#timers.delete(key);
  }
}

/** The namespace in `KIND NAMESPACE/NAME`; empty for work that belongs to no namespace. */
function namespaceOf(key: string): string {
  const [, name = ""] = key.split(" ");
  return name.includes("/") ? name.slice(0, name.indexOf("/")) : "";
}
