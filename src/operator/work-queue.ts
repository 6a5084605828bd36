import { ClavigerError, messageOf } from "../errors.ts";
import { isBusy, retryAfterOf } from "../kube/unanswered.ts";
import type { Log } from "../log.ts";
import { RateLimiter } from "../rate-limiter.ts";
import { FairLanes } from "./fair-lanes.ts";

const MIN_DELAY_MILLISECONDS = 100;
const MAX_DELAY_MILLISECONDS = 30_000;
/** News may mean that the fault is mended; it may also be that of what the failing pass wrote itself. */
const MAX_DELAY_WITH_NEWS_MILLISECONDS = 5_000;
/** While the API server answers nobody, one key is tried for all, at this pace at the slowest. */
const MAX_HOLD_MILLISECONDS = 10_000;
/**
 * So many failures of any keys without a success in between are hardly those of single keys. They
 * may be one tenant's all the same, so that the pauses of all are short.
 */
const FAILURES_OF_ALL = 8;
const MAX_HOLD_OF_FAILURES_MILLISECONDS = 1_000;
/** A conflict or two is everyday life; so many in a row are not. */
const CONFLICTS_TO_TELL = 6;
/** So many failures in a row are worth a line when they end. */
const FAILURES_TO_END = 3;
/** How often the log repeats that a key still fails in the same way. */
const REPEAT_MILLISECONDS = 600_000;

/** Lines about failures that one namespace's keys may write to the log: a hundred at once, then one a second. */
const LOG_RATE = { burst: 100, intervalMilliseconds: 1_000 };

/** What is in use and what somebody has changed, and what thousands wait for at once. */
export type Lane = "prompt" | "bulk";

export interface WorkQueueOptions {
  /** Where a key waits, if nobody says so. */
  readonly laneOf?: (key: string) => Lane;
  /** How long a key rests after a pass of so many milliseconds. */
  readonly restAfter?: (milliseconds: number) => number;
  /** From 0 to 1, evenly. */
  readonly random?: () => number;
}

/** How a key fails, since it last succeeded. */
interface Trouble {
  conflicts: number;
  failures: number;
  told: { readonly message: string; readonly at: number } | undefined;
  untold: number;
}

/**
 * Works on one key at a time, each key at most once in the queue, and again
 * later after a failure or a conflict: twice as long each time, with jitter, for that key alone,
 * and with news of it sooner, but not at once. Two lanes take turns, and namespaces in each:
 * thousands of new keys delay one that is in use by one key, and one namespace's delay another's by one.
 * While the API server answers nobody, the whole queue waits, longer each time.
 */
export class WorkQueue {
  readonly #work: (key: string) => Promise<void>;
  readonly #log: Log;
  readonly #laneOf: (key: string) => Lane;
  readonly #restAfter: (milliseconds: number) => number;
  readonly #random: () => number;
  readonly #lanes: Readonly<Record<Lane, FairLanes<string>>> = {
    prompt: new FairLanes<string>(namespaceOf),
    bulk: new FairLanes<string>(namespaceOf),
  };
  /** The lane that had its turn last. */
  #lastTurn: Lane = "bulk";
  readonly #lines = new RateLimiter(LOG_RATE);
  /** Lines of each namespace that were left out of the log since its last one. */
  readonly #leftOut = new Map<string, number>();
  readonly #troubles = new Map<string, Trouble>();
  /** Until when a key is left alone whatever comes, by performance.now(). */
  readonly #pauses = new Map<string, number>();
  readonly #timers = new Map<string, { readonly timer: NodeJS.Timeout; readonly due: number }>();
  #wake: (() => void) | undefined;
  /** Until when nothing is worked on, by performance.now(). */
  #heldUntil = 0;
  #unanswered = 0;
  #failedInARow = 0;

  #failureCount = 0;
  #conflictCount = 0;

  constructor(work: (key: string) => Promise<void>, log: Log, options: WorkQueueOptions = {}) {
    this.#work = work;
    this.#log = log;
    this.#laneOf = options.laneOf ?? (() => "prompt");
    this.#restAfter = options.restAfter ?? (() => 0);
    this.#random = options.random ?? Math.random;
  }

  /** Passes that failed since the start, conflicts aside. */
  get failureCount(): number {
    return this.#failureCount;
  }

  /** Passes that somebody else's write overtook since the start, or that a late watch misled. */
  get conflictCount(): number {
    return this.#conflictCount;
  }

  /** Keys that wait for their turn. */
  get length(): number {
    return this.#lanes.prompt.size + this.#lanes.bulk.size;
  }

  /**
   * Asks for work on `key`: now, or where it has just failed after a pause. Adding a key
   * that waits changes nothing, but that it moves to the prompt lane; one that is worked on runs again after.
   */
  add(key: string, lane = this.#laneOf(key)): void {
    const pause = (this.#pauses.get(key) ?? 0) - performance.now();
    if (pause > 0) this.addAfter(key, pause);
    else this.#addNow(key, lane);
  }

  #addNow(key: string, lane: Lane): void {
    this.#cancelTimer(key);
    if (lane === "prompt") this.#lanes.bulk.delete(key);
    if (!this.#lanes.prompt.has(key)) this.#lanes[lane].add(key);
    this.#wake?.();
  }

  /** Asks for work on `key` in `milliseconds`, unless it is asked for sooner. */
  addAfter(key: string, milliseconds: number): void {
    if (this.#lanes.prompt.has(key) || this.#lanes.bulk.has(key)) return;
    const due = performance.now() + milliseconds;
    if ((this.#timers.get(key)?.due ?? Number.POSITIVE_INFINITY) <= due) return;
    this.#cancelTimer(key);
    const timer = setTimeout(() => this.#addNow(key, this.#laneOf(key)), milliseconds);
    this.#timers.set(key, { due, timer });
  }

  /** Works until aborted; the key in hand is finished. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#wake?.(), { once: true });
    while (!signal.aborted) {
      const held = this.#heldUntil - performance.now();
      const key = held > 0 ? undefined : this.#take();
      if (key !== undefined) await this.#attempt(key, signal);
      else await this.#sleep(held > 0 ? held : undefined);
    }
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  /** Until something is added, the queue is stopped, or the time is over. */
  async #sleep(milliseconds: number | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = milliseconds === undefined ? undefined : setTimeout(resolve, milliseconds);
    await promise;
    clearTimeout(timer);
  }

  #take(): string | undefined {
    const next: Lane = this.#lastTurn === "bulk" ? "prompt" : "bulk";
    for (const lane of [next, this.#lastTurn]) {
      const key = this.#lanes[lane].take();
      if (key === undefined) continue;
      this.#lastTurn = lane;
      return key;
    }
    return undefined;
  }

  async #attempt(key: string, signal: AbortSignal): Promise<void> {
    const started = performance.now();
    try {
      await this.#work(key);
      this.#succeeded(key, performance.now() - started);
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

  #succeeded(key: string, milliseconds: number): void {
    this.#unanswered = 0;
    this.#failedInARow = 0;
    const trouble = this.#troubles.get(key);
    this.#troubles.delete(key);
    this.#pauses.delete(key);
    if (trouble?.told !== undefined && trouble.failures >= FAILURES_TO_END)
      this.#log("info", `${key} works again after ${trouble.failures} failures`);
    const rest = this.#restAfter(milliseconds);
    if (rest > 0) this.#restUntil(key, performance.now() + rest);
  }

  /** What has come meanwhile waits too. */
  #restUntil(key: string, time: number): void {
    this.#pauses.set(key, time);
    const waited = [this.#lanes.prompt.delete(key), this.#lanes.bulk.delete(key)].includes(true);
    if (waited) this.addAfter(key, time - performance.now());
  }

  /** A conflict means that somebody was faster, or that our own watch is late: both pass by themselves. */
  #retry(key: string, error: unknown): void {
    const conflict = error instanceof ClavigerError && error.code === "Conflict";
    const trouble = this.#troubles.get(key) ?? { conflicts: 0, failures: 0, told: undefined, untold: 0 };
    this.#troubles.set(key, trouble);
    const tries = trouble.conflicts + trouble.failures;
    if (conflict) {
      this.#conflictCount += 1;
      trouble.conflicts += 1;
    } else {
      this.#failureCount += 1;
      trouble.failures += 1;
      this.#holdAll(error);
    }
    if (!conflict || trouble.conflicts >= CONFLICTS_TO_TELL) this.#tell(key, trouble, error);
    const asked = retryAfterOf(error) ?? 0;
    const delay = Math.max(asked, this.#delayAfter(tries, MAX_DELAY_MILLISECONDS));
    const pause = Math.max(asked, Math.min(delay, MAX_DELAY_WITH_NEWS_MILLISECONDS));
    this.#pauses.set(key, performance.now() + pause);
    const hasNews = [this.#lanes.prompt.delete(key), this.#lanes.bulk.delete(key)].includes(true);
    this.addAfter(key, hasNews ? pause : delay);
  }

  /** Twice as long each time; up to half of it is left out at random, so that many do not come at once. */
  #delayAfter(tries: number, most: number): number {
    const delay = Math.min(most, MIN_DELAY_MILLISECONDS * 2 ** tries);
    return delay * (0.5 + this.#random() / 2);
  }

  /** If nobody is answered, the other keys would meet the same. */
  #holdAll(error: unknown): void {
    this.#failedInARow += 1;
    const busy = isBusy(error);
    if (busy) this.#unanswered += 1;
    const tries = busy ? this.#unanswered - 1 : this.#failedInARow - FAILURES_OF_ALL;
    if (tries < 0) return;
    const most = busy ? MAX_HOLD_MILLISECONDS : MAX_HOLD_OF_FAILURES_MILLISECONDS;
    const hold = Math.max(retryAfterOf(error) ?? 0, this.#delayAfter(tries, most));
    this.#heldUntil = Math.max(this.#heldUntil, performance.now() + hold);
  }

  /** Each trouble once, with how often it came again. */
  #tell(key: string, trouble: Trouble, error: unknown): void {
    const now = performance.now();
    const message = messageOf(error);
    const { told } = trouble;
    if (told?.message === message && now - told.at < REPEAT_MILLISECONDS) {
      trouble.untold += 1;
      return;
    }
    const namespace = namespaceOf(key);
    const before = this.#leftOut.get(namespace) ?? 0;
    if (!this.#lines.take(namespace, now)) {
      this.#leftOut.set(namespace, before + 1);
      return;
    }
    this.#leftOut.delete(namespace);
    const again = trouble.untold === 0 ? "" : `; ${trouble.untold} more failures like the one before`;
    const more = before === 0 ? "" : `; ${before} failures in this namespace before it were not logged`;
    this.#log("warn", `${key} failed and is tried again: ${message}${again}${more}`);
    trouble.told = { message, at: now };
    trouble.untold = 0;
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
