import type { MasterKey } from "../../kube/resources.ts";
import { type ReencryptionTask, type Round, type Work, withEarlier } from "../reencryption-work.ts";
import { RETRY_MILLISECONDS } from "../reencryptor.ts";
import { type Etcd, resourceOf, withObject } from "./etcd.ts";
import type { ModelNode } from "./model-node.ts";

interface Job {
  readonly id: string;
  readonly kmsKeyId: string;
  readonly task: Exclude<ReencryptionTask, { kind: "none" }>;
  work: Work;
  /** The last object that was written again. */
  last: string;
  failedAt?: number;
}

const IDLE: Work = { kind: "idle" };
const EMPTY_ROUND: Round = { done: 0, failed: 0, failures: [] };

/** What Reencryptor, rewriter and census do in a leader's process: a job for each key, which ends with the process. */
export class ModelRewriter {
  readonly #jobs = new Map<string, Job>();

  work(masterKey: MasterKey): Work {
    const job = this.#jobs.get(masterKey.metadata.name);
    return job?.id.startsWith(`${roundId(masterKey)} `) ? job.work : IDLE;
  }

  /** As Reencryptor.ensure. */
  ensure(masterKey: MasterKey, task: ReencryptionTask, now: number): void {
    const { name } = masterKey.metadata;
    const running = this.#jobs.get(name);
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

  /** The process ends. */
  forget(): void {
    this.#jobs.clear();
  }

  /** Everything fails as a whole: no connection, say. */
  fail(now: number): void {
    for (const job of this.#jobs.values()) {
      if (!isUnderWay(job)) continue;
      job.work = { kind: "failed", message: "no connection" };
      job.failedAt = now;
    }
  }

  /** Every job gets on by so many objects, through the API server of a node. */
  advance(etcd: Etcd, node: ModelNode, objects: number, now: number): Etcd {
    let after = etcd;
    for (const job of this.#jobs.values()) {
      if (isUnderWay(job)) after = advance(job, after, node, objects, now);
    }
    return after;
  }
}

const isUnderWay = ({ work: { kind } }: Job): boolean =>
  kind === "idle" || kind === "rewriting" || kind === "counting";

const roundId = ({ status }: MasterKey): string =>
  `${status?.reencryption?.kmsKeyId ?? ""}/${status?.reencryption?.round ?? 0}`;

function advance(job: Job, etcd: Etcd, node: ModelNode, objects: number, now: number): Etcd {
  const inScope = [...etcd.objects].filter(([object]) => job.task.resources.includes(resourceOf(object)));
  if (job.task.kind === "count") {
    const remaining = inScope.filter(([, under]) => under.kmsKeyId !== job.kmsKeyId).length;
    const found = { remaining, strays: [], revision: 1 };
    job.work = { kind: "counted", ground: job.task.ground, found };
    return etcd;
  }
  const names = inScope.map(([object]) => object).sort();
  const todo = names.filter((object) => object > job.last);
  const begun = job.task.before === undefined ? EMPTY_ROUND : withEarlier(EMPTY_ROUND, job.task.before);
  const round = "round" in job.work ? job.work.round : begun;
  return rewrite(job, round, todo.slice(0, objects), todo.length <= objects, etcd, node, now);
}

function rewrite(
  job: Job,
  before: Round,
  objects: readonly string[],
  isLast: boolean,
  etcd: Etcd,
  node: ModelNode,
  now: number,
): Etcd {
  let after = etcd;
  let failures = before.failures;
  for (const object of objects) {
    const under = node.entries.find(({ resource }) => resource === resourceOf(object))?.encryptsUnder(now);
    if (under === undefined) failures = [...failures, { object, reason: "NotWritten", message: "expired" }];
    else after = withObject(after, object, under);
    job.last = object;
  }
  const done = before.done + objects.length;
  const cursor = isLast ? {} : { cursor: { resource: resourceOf(job.last), continue: job.last } };
  const round = { done, failed: failures.length, failures, ...cursor };
  job.work = { kind: isLast ? "rewritten" : "rewriting", round };
  return after;
}
