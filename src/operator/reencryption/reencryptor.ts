import { messageOf } from "../../errors.ts";
import { retryAfterOf } from "../../kube/unanswered.ts";
import { nameText, type ObjectName } from "../../names.ts";
import type { Engine, RewritableObjects, Round } from "../../storage/stored-objects.ts";
import { type ReencryptionTask, type Work, withEarlier } from "./work.ts";

/** The work on one key's stored objects. A new round is another job. */
export interface Job {
  readonly masterKey: ObjectName;
  readonly kmsKeyId: string;
  readonly round: number;
  readonly engine: Engine;
  readonly task: ReencryptionTask;
}

interface Running {
  readonly id: string;
  readonly controller: AbortController;
  work: Work;
  /** When a failed job may start again. */
  retryAt?: number;
}

const IDLE: Work = { kind: "idle" };
/** The pause before work that failed as a whole (no connection, for example) starts again. */
export const RETRY_MILLISECONDS = 10_000;

/**
 * Carries out the decisions in the background, because a round over millions of objects must not delay other
 * keys. Holds no state that matters: if this process dies, everything is decided again, and a round continues
 * from its cursor.
 */
export class Reencryptor {
  readonly #objects: RewritableObjects;
  readonly #mayGoOn: () => boolean;
  readonly #onChange: (masterKey: ObjectName) => void;
  readonly #now: () => number;
  readonly #running = new Map<string, Running>();

  constructor(options: {
    readonly objects: RewritableObjects;
    /** Returns true if this operator still leads. Another leader does the same work. */
    readonly mayGoOn: () => boolean;
    /** Called when a job has ended, successfully or not. */
    readonly onChange: (masterKey: ObjectName) => void;
    readonly now: () => number;
  }) {
    this.#objects = options.objects;
    this.#mayGoOn = options.mayGoOn;
    this.#onChange = options.onChange;
    this.#now = options.now;
  }

  /** Returns the state of the work on a key in this round, or its result. */
  work(job: Pick<Job, "masterKey" | "kmsKeyId" | "round">): Work {
    const running = this.#running.get(nameText(job.masterKey));
    return running?.id.startsWith(`${roundId(job)} `) ? running.work : IDLE;
  }

  /**
   * Starts the requested job. A job that already runs continues, and a job that is no longer requested is
   * stopped.
   */
  ensure(job: Job): void {
    const running = this.#running.get(nameText(job.masterKey));
    const id = `${roundId(job)} ${taskId(job)}`;
    if (running !== undefined && running.id === id && !this.#isToRetry(running)) return;
    running?.controller.abort();
    this.#running.delete(nameText(job.masterKey));
    if (job.task.kind !== "none") this.#begin(job, id);
  }

  /** Stops all jobs. */
  close(): void {
    for (const { controller } of this.#running.values()) controller.abort();
    this.#running.clear();
  }

  #isToRetry({ retryAt }: Running): boolean {
    return retryAt !== undefined && this.#now() >= retryAt;
  }

  #begin(job: Job, id: string): void {
    const controller = new AbortController();
    const running: Running = { id, controller, work: IDLE };
    this.#running.set(nameText(job.masterKey), running);
    void this.#carryOut(job, running).then(
      (work) => this.#ended(job, running, work),
      (error: unknown) => {
        running.retryAt = this.#now() + Math.max(RETRY_MILLISECONDS, retryAfterOf(error) ?? 0);
        this.#ended(job, running, { kind: "failed", message: messageOf(error) });
      },
    );
  }

  async #carryOut(job: Job, running: Running): Promise<Work> {
    const { task, kmsKeyId, engine } = job;
    const { signal } = running.controller;
    switch (task.kind) {
      case "none":
        return IDLE;
      case "rewrite": {
        const { resources, cursor, before } = task;
        const onProgress = (round: Round) => {
          running.work = { kind: "rewriting", round: withEarlier(round, before) };
          if (!this.#mayGoOn()) running.controller.abort();
        };
        const request = { resources, engine, kmsKeyId, ...(cursor && { cursor }) };
        const round = await this.#objects.rewrite(request, { signal, onProgress });
        return { kind: "rewritten", round: withEarlier(round, before) };
      }
      case "count": {
        running.work = { kind: "counting" };
        const found = await this.#objects.count(task.resources, kmsKeyId, signal);
        return { kind: "counted", ground: task.ground, found };
      }
    }
  }

  #ended({ masterKey }: Job, running: Running, work: Work): void {
    // The job was stopped, and perhaps replaced, so its result is dropped.
    if (running.controller.signal.aborted) {
      const name = nameText(masterKey);
      if (this.#running.get(name) === running) this.#running.delete(name);
      return;
    }
    running.work = work;
    this.#onChange(masterKey);
  }
}

/**
 * The engine is part of it, because it may be changed when it makes no progress. A count is for one state of
 * the sockets.
 */
function taskId({ task, engine }: Pick<Job, "task" | "engine">): string {
  switch (task.kind) {
    case "none":
      return task.kind;
    case "rewrite":
      return `${task.kind} ${engine}`;
    case "count":
      return `${task.kind} ${JSON.stringify(task.ground)}`;
  }
}

const roundId = ({ kmsKeyId, round }: Pick<Job, "kmsKeyId" | "round">): string => `${kmsKeyId}/${round}`;
