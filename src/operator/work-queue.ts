import { codeOf, messageOf } from "../errors.ts";
import { retryAfterOf } from "../kube/unanswered.ts";
import type { Log } from "../log.ts";
import { FailureLog, type Told } from "./failure-log.ts";
import { type Lane, PromptAndBulk } from "./prompt-and-bulk.ts";
import { QueueHold } from "./queue-hold.ts";

const MIN_DELAY_MILLISECONDS = 100;
const MAX_DELAY_MILLISECONDS = 30_000;
/** News may mean that the fault is fixed, but it may also be about a write of the failing pass itself. */
const MAX_DELAY_WITH_NEWS_MILLISECONDS = 5_000;
/** A conflict or two are normal; this many in a row are not. */
const CONFLICTS_TO_TELL = 6;
/** After this many failures in a row, their end is worth a line. */
const FAILURES_TO_END = 3;

export interface WorkQueueOptions<T> {
  /** The text that names an item, in the log too. Items with the same key are the same work. */
  readonly keyOf: (item: T) => string;
  /** The namespace that an item belongs to; namespaces take turns. One for all if left out. */
  readonly namespaceOf?: (item: T) => string;
  /** The lane in which an item waits, if whoever adds it does not say so. */
  readonly laneOf?: (item: T) => Lane;
  /** How long an item rests after a pass of so many milliseconds. */
  readonly restAfter?: (milliseconds: number) => number;
  /** How long an item waits at least after a failure or a conflict, in milliseconds. */
  readonly leastRetryMilliseconds?: number;
  /** Returns a number from 0 to 1, uniformly distributed. */
  readonly random?: () => number;
}

/** The failures of an item since it last succeeded. */
interface Trouble {
  conflicts: number;
  failures: number;
  told: Told | undefined;
}

/**
 * Works on one item at a time, each item at most once in the queue. After a failure or a conflict it retries
 * later: after twice as long each time, with jitter, for that item alone; sooner if there is news of the
 * item, but not at once. Two lanes take turns, and namespaces in each lane: thousands of new keys delay a key
 * in use by one key, and one namespace's keys delay another's by one. While the API server answers nobody,
 * the whole queue waits, longer each time.
 */
export class WorkQueue<T> {
  readonly #work: (item: T) => Promise<void>;
  readonly #log: Log;
  readonly #failureLog: FailureLog;
  readonly #keyOf: (item: T) => string;
  readonly #namespaceOf: (item: T) => string;
  readonly #laneOf: (item: T) => Lane;
  readonly #restAfter: (milliseconds: number) => number;
  readonly #leastRetry: number;
  readonly #random: () => number;
  readonly #waiting: PromptAndBulk<T>;
  readonly #hold = new QueueHold((tries, most) => this.#delayAfter(tries, most));
  readonly #troubles = new Map<string, Trouble>();
  /** Until when an item is left alone whatever comes, by performance.now(). */
  readonly #pauses = new Map<string, number>();
  readonly #timers = new Map<string, { readonly timer: NodeJS.Timeout; readonly due: number }>();
  #wake: (() => void) | undefined;
  #failureCount = 0;
  #conflictCount = 0;

  constructor(work: (item: T) => Promise<void>, log: Log, options: WorkQueueOptions<T>) {
    this.#work = work;
    this.#log = log;
    this.#failureLog = new FailureLog(log);
    this.#keyOf = options.keyOf;
    this.#namespaceOf = options.namespaceOf ?? (() => "");
    this.#laneOf = options.laneOf ?? (() => "prompt");
    this.#restAfter = options.restAfter ?? (() => 0);
    this.#leastRetry = options.leastRetryMilliseconds ?? 0;
    this.#random = options.random ?? Math.random;
    this.#waiting = new PromptAndBulk(this.#namespaceOf, this.#keyOf);
  }

  /** Passes that failed since the start, without conflicts. */
  get failureCount(): number {
    return this.#failureCount;
  }

  /** Passes since the start that failed because another client wrote first, or because a watch was late. */
  get conflictCount(): number {
    return this.#conflictCount;
  }

  /** Items that wait for their turn. */
  get length(): number {
    return this.#waiting.size;
  }

  /**
   * Asks for work on `item`: now, or after a pause if it has just failed. Adding a waiting item changes
   * nothing, except that it moves to the prompt lane; an item that is being worked on runs again afterwards.
   */
  add(item: T, lane = this.#laneOf(item)): void {
    const pause = (this.#pauses.get(this.#keyOf(item)) ?? 0) - performance.now();
    if (pause > 0) this.addAfter(item, pause);
    else this.#addNow(item, lane);
  }

  #addNow(item: T, lane: Lane): void {
    this.#cancelTimer(item);
    this.#waiting.add(item, lane);
    this.#wake?.();
  }

  /** Asks for work on `item` in `milliseconds`, unless it is asked for sooner. */
  addAfter(item: T, milliseconds: number): void {
    if (this.#waiting.has(item)) return;
    const key = this.#keyOf(item);
    const due = performance.now() + milliseconds;
    if ((this.#timers.get(key)?.due ?? Number.POSITIVE_INFINITY) <= due) return;
    this.#cancelTimer(item);
    const timer = setTimeout(() => this.#addNow(item, this.#laneOf(item)), milliseconds);
    this.#timers.set(key, { due, timer });
  }

  /** Works until aborted; the current item is finished. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#wake?.(), { once: true });
    while (!signal.aborted) {
      const held = this.#hold.until - performance.now();
      const item = held > 0 ? undefined : this.#waiting.take();
      if (item !== undefined) await this.#attempt(item, signal);
      else await this.#sleep(held > 0 ? held : undefined);
    }
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  /** Waits until something is added, the queue is stopped, or the time is over. */
  async #sleep(milliseconds: number | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = milliseconds === undefined ? undefined : setTimeout(resolve, milliseconds);
    await promise;
    clearTimeout(timer);
  }

  async #attempt(item: T, signal: AbortSignal): Promise<void> {
    const started = performance.now();
    try {
      await this.#work(item);
      this.#succeeded(item, performance.now() - started);
    } catch (error) {
      if (signal.aborted) this.#log("info", cutShort(this.#keyOf(item), error));
      else this.#retry(item, error);
    }
    // Lets sockets and timers have their turn between two items.
    await new Promise((resolve) => setImmediate(resolve));
  }

  #succeeded(item: T, milliseconds: number): void {
    this.#hold.succeeded();
    const key = this.#keyOf(item);
    const trouble = this.#troubles.get(key);
    this.#troubles.delete(key);
    this.#pauses.delete(key);
    if (trouble?.told !== undefined && trouble.failures >= FAILURES_TO_END)
      this.#log("info", `${key} works again after ${trouble.failures} failures`);
    const rest = this.#restAfter(milliseconds);
    if (rest > 0) this.#restUntil(item, performance.now() + rest);
  }

  /** News that came meanwhile waits too. */
  #restUntil(item: T, time: number): void {
    this.#pauses.set(this.#keyOf(item), time);
    if (this.#waiting.delete(item)) this.addAfter(item, time - performance.now());
  }

  /**
   * A conflict means that another client wrote first, or that our own watch is late: both pass by themselves.
   */
  #retry(item: T, error: unknown): void {
    const key = this.#keyOf(item);
    const trouble = this.#troubles.get(key) ?? { conflicts: 0, failures: 0, told: undefined };
    this.#troubles.set(key, trouble);
    const tries = trouble.conflicts + trouble.failures;
    this.#count(trouble, error);
    const asked = Math.max(this.#leastRetry, retryAfterOf(error) ?? 0);
    const delay = Math.max(asked, this.#delayAfter(tries, MAX_DELAY_MILLISECONDS));
    const pause = Math.max(asked, Math.min(delay, MAX_DELAY_WITH_NEWS_MILLISECONDS));
    if (!isConflict(error) || trouble.conflicts >= CONFLICTS_TO_TELL) this.#tell(item, trouble, error);
    this.#pauses.set(key, performance.now() + pause);
    const hasNews = this.#waiting.delete(item);
    this.addAfter(item, hasNews ? pause : delay);
  }

  #count(trouble: Trouble, error: unknown): void {
    if (isConflict(error)) {
      this.#conflictCount += 1;
      trouble.conflicts += 1;
      return;
    }
    this.#failureCount += 1;
    trouble.failures += 1;
    this.#hold.failed(error, performance.now());
  }

  /** Twice as long each time; up to half of it is removed at random, so that many do not come at once. */
  #delayAfter(tries: number, most: number): number {
    const delay = Math.min(most, MIN_DELAY_MILLISECONDS * 2 ** tries);
    return delay * (0.5 + this.#random() / 2);
  }

  #tell(item: T, trouble: Trouble, error: unknown): void {
    const named = { key: this.#keyOf(item), namespace: this.#namespaceOf(item) };
    trouble.told = this.#failureLog.tell(named, messageOf(error), trouble.told, performance.now());
  }

  #cancelTimer(item: T): void {
    const key = this.#keyOf(item);
    clearTimeout(this.#timers.get(key)?.timer);
    this.#timers.delete(key);
  }
}

const isConflict = (error: unknown): boolean => codeOf(error) === "Conflict";

const cutShort = (key: string, error: unknown): string =>
  `${key} was cut short by the stop and is left to the next start: ${messageOf(error)}`;
