import { RETRY_MILLISECONDS } from "../../operator/reencryption/reencryptor.ts";
import { type ReencryptionTask, type Work, withEarlier } from "../../operator/reencryption/work.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { Round, StoredCount } from "../../storage/stored-objects.ts";
import { type Etcd, resourceOf, type Used, withObject } from "./etcd.ts";
import type { ModelNode } from "./model-node.ts";
import type { Promises } from "./promises.ts";

interface Job {
  readonly id: string;
  readonly kmsKeyId: string;
  readonly task: Exclude<ReencryptionTask, { kind: "none" }>;
  work: Work;
  /** The last object that was rewritten. */
  last: string;
  failedAt?: number;
  /** The result of a census, and the time when it ends. */
  counting?: { readonly found: StoredCount; readonly until: number };
}

const IDLE: Work = { kind: "idle" };
const EMPTY_ROUND: Round = { done: 0, failed: 0, failures: [] };

/**
 * The behaviour of Reencryptor, rewriter and census in a leader's process: a job for each key, which ends
 * with the process.
 */
export class ModelRewriter {
  readonly #jobs = new Map<string, Job>();
  readonly #promises: Promises;
  readonly #refused = new Set<string>();
  /** How long a census takes. */
  readonly #countMilliseconds: number;

  constructor(promises: Promises, countMilliseconds: number) {
    this.#promises = promises;
    this.#countMilliseconds = countMilliseconds;
  }

  work(masterKey: MasterKey): Work {
    const job = this.#jobs.get(masterKey.metadata.name);
    return job?.id.startsWith(`${roundId(masterKey)} `) ? job.work : IDLE;
  }

  /** Starts or continues a job, as Reencryptor.ensure does. */
  ensure(masterKey: MasterKey, task: ReencryptionTask, now: number): void {
    const { name } = masterKey.metadata;
    const running = this.#jobs.get(name);
    // As in Reencryptor's jobs: a count that began on other ground is another job.
    const ground = task.kind === "count" ? JSON.stringify(task.ground) : "";
    const id = `${roundId(masterKey)} ${task.kind} ${ground}`;
    const retry = running?.failedAt !== undefined && now - running.failedAt >= RETRY_MILLISECONDS;
    if (running?.id === id && !retry) return;
    this.#jobs.delete(name);
    if (task.kind === "none") return;
    const last = task.kind === "rewrite" ? (task.cursor?.continue ?? "") : "";
    const kmsKeyId = masterKey.status?.reencryption?.kmsKeyId ?? "";
    this.#jobs.set(name, { id, kmsKeyId, task, last, work: IDLE });
  }

  /** Makes an object unwritable through every API server, whoever leads. */
  refuse(object: string, refused: boolean): void {
    if (refused) this.#refused.add(object);
    else this.#refused.delete(object);
  }

  refuses(object: string): boolean {
    return this.#refused.has(object);
  }

  allowAll(): void {
    this.#refused.clear();
  }

  /** Ends the process. */
  forget(): void {
    this.#jobs.clear();
  }

  /** Fails every job as a whole: no connection, for example. */
  fail(now: number): void {
    for (const job of this.#jobs.values()) {
      if (!isUnderWay(job)) continue;
      job.work = { kind: "failed", message: "no connection" };
      job.failedAt = now;
    }
  }

  /** Advances every job by this many objects, through the API server of a node. */
  advance(etcd: Etcd, node: ModelNode, objects: number, now: number): Etcd {
    let after = etcd;
    for (const job of this.#jobs.values()) {
      if (isUnderWay(job)) after = this.#advance(job, after, node, objects, now);
    }
    return after;
  }

  #advance(job: Job, etcd: Etcd, node: ModelNode, objects: number, now: number): Etcd {
    const inScope = [...etcd.objects].filter(([object]) => job.task.resources.includes(resourceOf(object)));
    if (job.task.kind === "count") {
      // All pages of a census are of the revision of the first page.
      job.counting ??= { found: counted(job.kmsKeyId, inScope), until: now + this.#countMilliseconds };
      const { found, until } = job.counting;
      const { ground } = job.task;
      job.work = now < until ? { kind: "counting" } : { kind: "counted", ground, found };
      return etcd;
    }
    const names = inScope.map(([object]) => object).sort();
    const todo = names.filter((object) => object > job.last);
    return this.#rewrite(job, todo.slice(0, objects), todo.length <= objects, etcd, node, now);
  }

  #rewrite(
    job: Job,
    objects: readonly string[],
    isLast: boolean,
    etcd: Etcd,
    node: ModelNode,
    now: number,
  ): Etcd {
    const earlier = job.task.kind === "rewrite" ? job.task.before : undefined;
    const before = "round" in job.work ? job.work.round : withEarlier(EMPTY_ROUND, earlier);
    let after = etcd;
    let failures = before.failures;
    for (const object of objects) {
      const written = this.#write(object, job.kmsKeyId, after, node, now);
      if (written === undefined)
        failures = [...failures, { object, reason: "NotWritten", message: "expired" }];
      else after = written;
      job.last = object;
    }
    const done = before.done + objects.length;
    const cursor = isLast ? {} : { cursor: { resource: resourceOf(job.last), continue: job.last } };
    const round = { done, failed: failures.length, failures, ...cursor };
    job.work = { kind: isLast ? "rewritten" : "rewriting", round };
    return after;
  }

  /** Writes through the API server of a node. Returns undefined if it fails there. */
  #write(object: string, kmsKeyId: string, etcd: Etcd, node: ModelNode, now: number): Etcd | undefined {
    const { apiServer } = node;
    const resource = resourceOf(object);
    const stored = etcd.objects.get(object);
    const under = apiServer.storesUnder(resource, now);
    if (this.#refused.has(object)) return undefined;
    if (stored === undefined || under === undefined || !apiServer.reads(resource, stored)) return undefined;
    this.#promises.checkRewrite(object, stored, under);
    this.#promises.checkWrittenFor(object, node, kmsKeyId, under);
    return withObject(etcd, object, under);
  }
}

function counted(kmsKeyId: string, objects: readonly (readonly [string, Used])[]): StoredCount {
  const others = objects.filter(([, under]) => under.kmsKeyId !== kmsKeyId);
  return { remaining: others.length, strays: [], revision: 1 };
}

const isUnderWay = ({ work: { kind } }: Job): boolean =>
  kind === "idle" || kind === "rewriting" || kind === "counting";

const roundId = ({ status }: MasterKey): string =>
  `${status?.reencryption?.kmsKeyId ?? ""}/${status?.reencryption?.round ?? 0}`;
