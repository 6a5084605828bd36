import { ClavigerError } from "../../errors.ts";
import type { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { namedResources } from "../served/api-resources.ts";
import type { ApiResource, Requests } from "../served/discovery.ts";
import { groupResourceText } from "../served/group-resource.ts";
import { isStillStoredAt } from "../served/storage-version.ts";
import { STORAGE_VERSION_NOT_SERVED, storageVersionChanged } from "../served/storage-version-objection.ts";
import { CallLimiter, type CallLimits, ServerAway } from "./call-limiter.ts";
import {
  countObjects,
  type List,
  type MetadataPage,
  metadataPages,
  type ObjectMetadata,
  someObject,
} from "./metadata-pages.ts";
import { Rate } from "./rate.ts";
import { isUnserved, rewriteObject } from "./rewrite-object.ts";
import {
  type Cursor,
  failureOf,
  publicMessage,
  type RewriteProgress,
  type RewriteReport,
  RewriteTally,
} from "./rewrite-report.ts";
import type { UnreadableObject } from "./unreadable.ts";

export interface RewriteOptions {
  readonly client: KubeClient;
  readonly resources: readonly ApiResource[];
  /** The cursor of an earlier run; from the beginning if left out. */
  readonly from?: Cursor | undefined;
  readonly signal: AbortSignal;
  /** Called after each page, and about every second. */
  readonly onProgress?: (progress: RewriteProgress) => void;
  readonly limits?: Partial<CallLimits>;
}

const LIMITS: CallLimits = { maxParallelism: 32, patienceMilliseconds: 60_000 };
const PROGRESS_MILLISECONDS = 1_000;

/**
 * Makes an API server write back every object of these resources unchanged, so that everything is stored
 * under the key with which it encrypts now. Reads metadata only. An object that is refused or cannot be read
 * is named in the report, and the rewrite continues with the rest. Throws ServerAway if no call succeeds for
 * long, or the signal's reason; a run from the last cursor then does the rest.
 */
export function rewrite(options: RewriteOptions): Promise<RewriteReport> {
  return new Rewriter(options).run();
}

class Rewriter {
  readonly #options: RewriteOptions;
  readonly #limits: CallLimits;
  readonly #limiter: CallLimiter;
  readonly #tally = new RewriteTally();
  readonly #rate = new Rate(performance.now());
  /** The number of objects of each resource that is not done yet. */
  readonly #left = new Map<string, number>();
  #cursor: Cursor = { resource: "" };
  #lastProgress = performance.now();

  constructor(options: RewriteOptions) {
    this.#options = options;
    const limits = { ...LIMITS, ...options.limits };
    // Without workers, objects would be skipped.
    this.#limits = { ...limits, maxParallelism: Math.max(1, limits.maxParallelism) };
    this.#limiter = new CallLimiter(this.#limits);
  }

  async run(): Promise<RewriteReport> {
    const { resources, from } = this.#options;
    const named = resources
      .map((resource) => ({ text: groupResourceText(resource), resource }))
      .filter(({ text }) => from === undefined || text >= from.resource)
      .sort((a, b) => (a.text < b.text ? -1 : 1));
    for (const { text, resource } of named) await this.#count(text, resource);
    for (const { text, resource } of named) {
      const token = from?.resource === text ? from.continue : undefined;
      this.#cursor = { resource: text, ...(token !== undefined && { continue: token }) };
      await this.#resource(text, resource, token);
      this.#left.delete(text);
    }
    return this.#tally.report();
  }

  /** A resource that cannot be counted is reported when it is listed. */
  async #count(text: string, resource: ApiResource): Promise<void> {
    try {
      this.#left.set(text, (await countObjects(this.#list, resource)) ?? 0);
    } catch (error) {
      this.#rethrowEnd(error);
    }
  }

  async #resource(text: string, resource: ApiResource, token: string | undefined): Promise<void> {
    try {
      const objection = resource.definition?.objection;
      if (objection !== undefined) return await this.#refuse(text, resource, objection);
      for await (const page of ahead(metadataPages(this.#list, resource, token))) {
        this.#expect(text, page);
        if (!(await isStillStoredAt(this.#requests, resource, this.#options.signal))) {
          return this.#tally.fail(changedFailure(text, resource));
        }
        await this.#page(text, resource, page);
        if (page.next !== undefined) this.#cursor = { resource: text, continue: page.next };
        this.#progress();
      }
    } catch (error) {
      this.#rethrowEnd(error);
      if (!(error instanceof KubeError && error.httpStatus === 404)) {
        return this.#tally.fail(failureOf(text, {}, error));
      }
      if (await this.#isServedOtherwise(text)) this.#tally.fail(changedFailure(text, resource));
    }
  }

  /** Writes nothing. A resource without objects is not a failure. */
  async #refuse(resource: string, listed: ApiResource, message: string): Promise<void> {
    if ((await someObject(this.#list, listed)) === undefined) return;
    this.#tally.fail({ resource, reason: STORAGE_VERSION_NOT_SERVED, message });
  }

  /** Returns false if the resource is gone, and all its objects with it. */
  async #isServedOtherwise(text: string): Promise<boolean> {
    const { resources, unserved } = await namedResources(this.#requests, [text], this.#options.signal);
    return resources.length > 0 || unserved.length > 0;
  }

  /** A page may not say how many objects come after it; then the last number is kept. */
  #expect(text: string, { objects, unreadable, next, remaining }: MetadataPage): void {
    const after = next === undefined ? 0 : remaining;
    if (after !== undefined) this.#left.set(text, objects.length + unreadable.length + after);
  }

  /** Ends when every object of the page is done. After a failure that ends the run, it starts no more. */
  async #page(text: string, resource: ApiResource, page: MetadataPage): Promise<void> {
    for (const name of page.unreadable) {
      this.#tally.fail(unreadableFailure(text, name));
      this.#tick(text);
    }
    const objects = page.objects.values();
    let over = false;
    const worker = async () => {
      for (const object of objects) {
        if (over) return;
        await this.#object(text, resource, object);
      }
    };
    const workers = Array.from({ length: this.#limits.maxParallelism }, () =>
      worker().catch((error: unknown) => {
        over = true;
        throw error;
      }),
    );
    const broken = (await Promise.allSettled(workers)).find(({ status }) => status === "rejected");
    if (broken?.status === "rejected") throw broken.reason;
  }

  async #object(text: string, resource: ApiResource, object: ObjectMetadata): Promise<void> {
    const { client, signal } = this.#options;
    try {
      this.#tally.add(await rewriteObject({ client, limiter: this.#limiter, signal }, resource, object));
    } catch (error) {
      this.#rethrowEnd(error);
      const failure = isUnserved(error) ? changedFailure(text, resource) : failureOf(text, object, error);
      this.#tally.fail(failure);
    }
    this.#tick(text);
    if (performance.now() - this.#lastProgress >= PROGRESS_MILLISECONDS) this.#progress();
  }

  #tick(text: string): void {
    this.#left.set(text, Math.max(0, (this.#left.get(text) ?? 0) - 1));
  }

  /** Rethrows an error that ends the run, and not only the work on one object. */
  #rethrowEnd(error: unknown): void {
    this.#options.signal.throwIfAborted();
    if (error instanceof ServerAway) throw error;
    if (error instanceof KubeError && error.httpStatus === 401) throw error;
    if (!(error instanceof ClavigerError)) throw error;
  }

  #progress(): void {
    const now = performance.now();
    this.#lastProgress = now;
    const { done } = this.#tally;
    this.#rate.observe(now, done);
    const ratePerSecond = this.#rate.perSecond(now, done);
    const left = [...this.#left.values()].reduce((sum, value) => sum + value, 0);
    this.#options.onProgress?.({
      ...this.#tally.report(),
      resource: this.#cursor.resource,
      done,
      total: done + left,
      ratePerSecond,
      secondsLeft: ratePerSecond > 0 ? left / ratePerSecond : undefined,
      cursor: this.#cursor,
    });
  }

  readonly #list: List = (call, isAnswer) => {
    const { client, signal } = this.#options;
    return this.#limiter.run(() => client.request({ ...call, signal }), { signal, isAnswer });
  };

  readonly #requests: Requests = { request: (call) => this.#list(call, () => false) };
}

const changedFailure = (resource: string, listed: ApiResource) => ({
  resource,
  ...storageVersionChanged(listed),
});

const unreadableFailure = (resource: string, { message, ...name }: UnreadableObject) => ({
  resource,
  ...name,
  reason: "StorageReadError",
  message: publicMessage(`the API server cannot read it: ${message}`, []),
});

/** Yields the same values, but fetches the next while the consumer works on one. */
async function* ahead<T>(values: AsyncGenerator<T, void>): AsyncGenerator<T, void> {
  let next = values.next();
  for (let result = await next; result.done !== true; result = await next) {
    next = values.next();
    // The promise is awaited later, and a failure until then must not end the process.
    next.catch(() => undefined);
    yield result.value;
  }
}
