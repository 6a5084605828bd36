import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { ToldOnce } from "../told-once.ts";
import type { KubeClient } from "./client.ts";
import { KubeError } from "./kube-error.ts";
import { refusalOf } from "./refusal.ts";
import { retryAfterOf } from "./unanswered.ts";

/** The fields of an object that a reflector needs. */
export interface Reflectable {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
}

type ObjectOf = Pick<Reflectable["metadata"], "namespace" | "name">;

interface ListBody<T> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly T[];
}

interface WatchEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: T;
}

const PAGE = "500";
const MIN_DELAY_MILLISECONDS = 200;
const MAX_DELAY_MILLISECONDS = 10_000;
/**
 * The duration of a watch: so short that its end, which only a living connection delivers, comes within a
 * minute. Random, so that many nodes do not reconnect at once.
 */
const WATCH_SECONDS = { least: 35, most: 50 };
/** Our own write must appear in the watch within this time, otherwise the watch is given up. */
const EXPECTED_MILLISECONDS = 10_000;

/**
 * A copy of one collection that follows the API server: lists in pages, then watches with bookmarks, for as
 * long as necessary, with jitter after failures. It notices a watch that stalled without a sign within a
 * minute, or as soon as the watch does not show a change that the caller knows of (`expect`).
 *
 * If a watch ends before its time it lists again. A server that went away may come back with a restored etcd:
 * another history, in which our revision lies in the future or means something else. The API server does not
 * say so; a watch from such a revision is silent, or misses earlier events.
 */
export class Reflector<T extends Reflectable> {
  readonly #client: KubeClient;
  readonly #path: string;
  readonly #query: Readonly<Record<string, string>>;
  readonly #trouble: ToldOnce;
  readonly #onChange: (object: T, event: "set" | "deleted") => void;
  readonly #onSynced: () => void;
  readonly #watchSeconds: typeof WATCH_SECONDS;
  readonly #expectedMilliseconds: number;
  #objects = new Map<string, T>();
  /** The copy as a list, until the copy changes. */
  #listed: readonly T[] | undefined;
  #resourceVersion: string | undefined;
  #failures = 0;
  /** Ends the current watch. */
  #watching = new AbortController();
  #expecting: NodeJS.Timeout | undefined;

  constructor(options: {
    readonly client: KubeClient;
    readonly path: string;
    readonly query?: Readonly<Record<string, string>>;
    readonly log: Log;
    /** Called after the copy changed, once per object. */
    readonly onChange: (object: T, event: "set" | "deleted") => void;
    /** Called after the first list is stored and its changes were reported. */
    readonly onSynced?: () => void;
    readonly watchSeconds?: typeof WATCH_SECONDS;
    readonly expectedMilliseconds?: number;
  }) {
    this.#watchSeconds = options.watchSeconds ?? WATCH_SECONDS;
    this.#expectedMilliseconds = options.expectedMilliseconds ?? EXPECTED_MILLISECONDS;
    this.#client = options.client;
    this.#path = options.path;
    this.#query = options.query ?? {};
    this.#trouble = new ToldOnce(options.log);
    this.#onChange = options.onChange;
    this.#onSynced = options.onSynced ?? (() => {});
  }

  /** True if a full list has ever arrived. */
  get synced(): boolean {
    return this.#resourceVersion !== undefined;
  }

  /** Every change up to this resourceVersion is in `objects`; undefined before the first list. */
  get resourceVersion(): string | undefined {
    return this.#resourceVersion;
  }

  objects(): readonly T[] {
    this.#listed ??= [...this.#objects.values()];
    return this.#listed;
  }

  /** Returns an object by its name. */
  get({ namespace = "", name }: ObjectOf): T | undefined {
    return this.#objects.get(`${namespace}/${name}`);
  }

  /**
   * Tells the reflector that an object no longer has this resourceVersion (or, without one, that it exists),
   * because it was written, or because a write was refused as stale. If the copy does not show this within
   * ten seconds, the watch has stalled, and everything is listed again.
   */
  expect({ namespace = "", name }: ObjectOf, stale: string | undefined): void {
    const isLate = () => this.#objects.get(`${namespace}/${name}`)?.metadata.resourceVersion === stale;
    // One expectation at a time is enough: if it is met, the watch is alive.
    if (this.#expecting !== undefined || !isLate()) return;
    this.#expecting = setTimeout(() => {
      this.#expecting = undefined;
      const seconds = this.#expectedMilliseconds / 1000;
      if (isLate())
        this.#watching.abort(new Error(`its watch does not show a change of ${name} after ${seconds} s`));
    }, this.#expectedMilliseconds);
    this.#expecting.unref();
  }

  /** Runs until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    let inStep = false;
    while (!signal.aborted) {
      let asked = 0;
      try {
        if (!inStep) await this.#list(signal);
        inStep = false;
        inStep = await this.#watch(signal);
        if (inStep) this.#trouble.end(`following ${this.#path} works again`);
      } catch (error) {
        if (signal.aborted) break;
        if (!isGone(error)) this.#say(error);
        asked = retryAfterOf(error) ?? 0;
      }
      // Pauses also after 410 or an early end: a server that answers nothing else must not be asked without a
      // pause.
      await this.#pause(asked, signal);
    }
    clearTimeout(this.#expecting);
  }

  #say(error: unknown): void {
    const { aborted, reason } = this.#watching.signal;
    const why = messageOf(aborted ? reason : error);
    this.#trouble.meet(`following ${this.#path} failed and is tried again: ${why}`);
  }

  async #list(signal: AbortSignal): Promise<void> {
    const found = new Map<string, T>();
    let page: ListBody<T>;
    let token = "";
    do {
      const query = { ...this.#query, limit: PAGE, ...(token !== "" && { continue: token }) };
      // The API server answers with a list of the requested collection.
      page = (await this.#client.request({ method: "GET", path: this.#path, query, signal })) as ListBody<T>;
      for (const object of page.items) found.set(keyOf(object), slim(object));
      token = page.metadata.continue ?? "";
    } while (token !== "");
    this.#replace(found, page.metadata.resourceVersion);
  }

  /**
   * Changes are reported after the whole copy is replaced. A name that came back with another uid is another
   * object.
   */
  #replace(found: Map<string, T>, resourceVersion: string): void {
    const before = this.#objects;
    const first = !this.synced;
    this.#objects = found;
    this.#listed = undefined;
    this.#resourceVersion = resourceVersion;
    for (const [key, object] of before) {
      if (found.get(key)?.metadata.uid !== object.metadata.uid) this.#onChange(object, "deleted");
    }
    for (const [key, object] of found) {
      // Compares whole objects: in another history the same resourceVersion may be another state.
      if (first || !isDeepStrictEqual(before.get(key), object)) this.#onChange(object, "set");
    }
    if (first) this.#onSynced();
  }

  /** Returns true if the watch lasted the requested time: then the same server was there all along. */
  async #watch(signal: AbortSignal): Promise<boolean> {
    const { least, most } = this.#watchSeconds;
    const seconds = least + Math.floor(Math.random() * (most - least));
    const query = {
      ...this.#query,
      allowWatchBookmarks: "true",
      resourceVersion: this.#resourceVersion ?? "",
    };
    this.#watching = new AbortController();
    const ended = AbortSignal.any([signal, this.#watching.signal]);
    const started = performance.now();
    try {
      for await (const event of this.#client.watch({ path: this.#path, query, seconds, signal: ended })) {
        this.#take(event as WatchEvent<T>);
        this.#failures = 0;
      }
      return performance.now() - started >= seconds * 1000;
    } finally {
      // A quiet watch that lasted was a successful watch.
      if (performance.now() - started > MAX_DELAY_MILLISECONDS) this.#failures = 0;
    }
  }

  #take(event: WatchEvent<T>): void {
    if (event.type === "ERROR") throw watchError(event.object);
    this.#resourceVersion = event.object.metadata.resourceVersion;
    if (event.type === "BOOKMARK") return;
    this.#listed = undefined;
    const key = keyOf(event.object);
    if (event.type === "DELETED") this.#objects.delete(key);
    else this.#objects.set(key, slim(event.object));
    this.#onChange(event.object, event.type === "DELETED" ? "deleted" : "set");
  }

  /** Waits at least as long as the API server asked. */
  async #pause(asked: number, signal: AbortSignal): Promise<void> {
    const delay = Math.min(MAX_DELAY_MILLISECONDS, MIN_DELAY_MILLISECONDS * 2 ** this.#failures);
    this.#failures += 1;
    await sleep(Math.max(asked, delay * (0.5 + Math.random())), undefined, { signal }).catch(() => undefined);
  }
}

/** managedFields are larger than a KeyVersion itself, and nobody reads them. */
function slim<T extends Reflectable>(object: T): T {
  delete (object.metadata as { managedFields?: unknown }).managedFields;
  return object;
}

const keyOf = ({ metadata }: Reflectable): string => `${metadata.namespace ?? ""}/${metadata.name}`;

/** 410: our resourceVersion was compacted away. */
const isGone = (error: unknown): boolean => error instanceof KubeError && error.httpStatus === 410;

/** An ERROR event carries a Status object. */
function watchError(status: unknown): KubeError {
  const { code, message } = status as { readonly code?: number; readonly message?: string };
  const refusal = refusalOf(JSON.stringify(status), undefined);
  return new KubeError(code ?? 500, message ?? "the watch failed", refusal);
}
