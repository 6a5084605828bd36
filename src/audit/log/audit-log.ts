import { once } from "node:events";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { ClavigerError, messageOf } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { RepeatedLog } from "../../repeated-log.ts";
import { MAX_LINE_BYTES } from "../record/record-line.ts";
import type { AuditTrail } from "../trail.ts";
import type { LogWriterOptions } from "./log-writer.ts";
import type { FileReason } from "./own-events.ts";
import type { FromWriter, ToWriter } from "./thread-messages.ts";

export interface AuditLogOptions extends Omit<LogWriterOptions, "lockMilliseconds"> {
  readonly log: Log;
  /** Epoch milliseconds. */
  readonly now?: () => number;
  /** How long a line may wait for the disk. */
  readonly deadlineMilliseconds?: number;
}

/** Callers of the API wait no longer; a busy disk may take seconds. */
const DEADLINE_MILLISECONDS = 10_000;
/** The lock is given up before a line is. */
const LOCK_MILLISECONDS = 8_000;
const CHECKPOINT_MILLISECONDS = 1_000;
/** A second of a busy node. */
const MOST_WAITING = 20_000;
const MOST_WAITING_CHARACTERS = 32 * 1024 * 1024;
const MOST_TOGETHER = 1_000;
const THREAD_LIMITS = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 4 };

interface Waiting {
  readonly line: string;
  readonly until: number;
  readonly written: () => void;
  readonly failed: (error: ClavigerError) => void;
}

/**
 * The audit log of this node, for one of its processes. All lines that wait are written and synced together, by a
 * thread, so that a disk that hangs holds up nobody for longer than the deadline.
 */
export class AuditLog implements AuditTrail {
  readonly #options: AuditLogOptions;
  readonly #now: () => number;
  readonly #log: RepeatedLog;
  readonly #waiting: Waiting[] = [];
  #characters = 0;
  #thread: Worker | undefined;
  /** The lines that the thread is writing; empty while it signs a checkpoint, and undefined if it waits. */
  #writing: readonly Waiting[] | undefined;
  #checkpointIsDue = false;
  #problem: ClavigerError | undefined;
  #expiry: NodeJS.Timeout | undefined;
  #checkpoints: NodeJS.Timeout | undefined;
  #closed = false;
  #onIdle: (() => void) | undefined;

  constructor(options: AuditLogOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#log = new RepeatedLog(options.log);
  }

  get problem(): ClavigerError | undefined {
    return this.#problem;
  }

  append(line: string): Promise<void> {
    const refusal = this.#refusal(line);
    if (refusal !== undefined) return Promise.reject(this.#failed(refusal));
    return new Promise((written, failed) => {
      const { deadlineMilliseconds = DEADLINE_MILLISECONDS } = this.#options;
      const until = performance.now() + deadlineMilliseconds;
      this.#waiting.push({ line, until, written, failed });
      this.#characters += line.length;
      this.#expiry ??= setTimeout(() => this.#expire(), deadlineMilliseconds);
      this.#proceed();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#checkpoints);
    const insist = setTimeout(() => void this.#thread?.terminate(), DEADLINE_MILLISECONDS);
    if (this.#writing !== undefined) await this.#idle();
    if (this.#thread !== undefined) {
      const ended = once(this.#thread, "exit");
      this.#post({ kind: "close", now: this.#now() });
      await ended;
    }
    clearTimeout(insist);
    this.#log.close();
  }

  /** Resolves once nothing waits any more, or the thread has ended. */
  #idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }

  #refusal(line: string): string | undefined {
    if (this.#closed) return "it is closed";
    if (Buffer.byteLength(line) > MAX_LINE_BYTES || line.includes("\n"))
      return "a record is no line of the log";
    const isFull = this.#waiting.length >= MOST_WAITING || this.#characters >= MOST_WAITING_CHARACTERS;
    return isFull ? "too many records wait for the disk" : undefined;
  }

  /** Gives the thread what waits, if it waits itself. All that is given goes out with one sync. */
  #proceed(): void {
    if (this.#writing !== undefined) return;
    if (this.#waiting.length > 0) {
      this.#writing = this.#waiting.splice(0, MOST_TOGETHER);
      for (const { line } of this.#writing) this.#characters -= line.length;
      const lines = this.#writing.map(({ line }) => line);
      this.#post({ kind: "append", lines, now: this.#now() });
      this.#checkpointIsDue = true;
    }
  }

  /** No line stays without a checkpoint for long. */
  #signIfDue(): void {
    if (!this.#checkpointIsDue || this.#writing !== undefined) return;
    this.#checkpointIsDue = false;
    this.#writing = [];
    this.#post({ kind: "checkpoint", now: this.#now() });
  }

  #post(message: ToWriter): void {
    this.#thread ??= this.#startThread();
    this.#thread.postMessage(message);
  }

  #startThread(): Worker {
    const { path, keyPath, origin, site, segmentBytes } = this.#options;
    const workerData: LogWriterOptions = {
      ...{ path, keyPath, origin, site, segmentBytes },
      lockMilliseconds: LOCK_MILLISECONDS,
    };
    // The same extension as this file: a source in a checkout, compiled in a package.
    const file = new URL(`./writer-thread${extname(import.meta.filename)}`, import.meta.url);
    const thread = new Worker(file, {
      name: "audit",
      workerData,
      execArgv: [],
      resourceLimits: THREAD_LIMITS,
    });
    thread.on("message", (answer: FromWriter) => this.#settle(answer));
    thread.on("error", (error) => this.#lost(thread, messageOf(error)));
    thread.on("exit", () => this.#lost(thread, "its thread has ended"));
    this.#checkpoints ??= setInterval(() => this.#signIfDue(), CHECKPOINT_MILLISECONDS).unref();
    return thread;
  }

  #settle(answer: FromWriter): void {
    const writing = this.#writing ?? [];
    this.#writing = undefined;
    if (answer.kind === "done") {
      this.#problem = undefined;
      if (answer.newFile !== undefined) this.#report(answer.newFile);
      for (const { written } of writing) written();
    } else {
      const error = this.#failed(answer.message);
      for (const { failed } of writing) failed(error);
    }
    this.#proceed();
    if (this.#writing === undefined) this.#onIdle?.();
  }

  #lost(thread: Worker, reason: string): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    if (this.#writing !== undefined || this.#waiting.length > 0)
      this.#settle({ kind: "failed", message: reason });
  }

  /** Rejects what has waited for too long. What the thread is writing may be written all the same. */
  #expire(): void {
    const now = performance.now();
    const late = [...(this.#writing ?? []), ...this.#waiting].filter(({ until }) => until <= now);
    if (late.length > 0) {
      const error = this.#failed("the disk has not answered in time");
      for (const { failed } of late) failed(error);
    }
    const kept = this.#waiting.filter(({ until }) => until > now);
    this.#waiting.splice(0, this.#waiting.length, ...kept);
    this.#characters = kept.reduce((sum, { line }) => sum + line.length, 0);
    const next = [...(this.#writing ?? []), ...kept].find(({ until }) => until > now);
    this.#expiry = next && setTimeout(() => this.#expire(), Math.max(1, next.until - now));
  }

  #failed(reason: string): ClavigerError {
    const { path } = this.#options;
    const error = new ClavigerError("AuditUnavailable", `the audit log ${path} cannot be written: ${reason}`);
    this.#problem = error;
    this.#log.note({ kind: "unavailable", level: "error", message: error.message, fields: {} });
    return error;
  }

  #report(reason: FileReason): void {
    const message = MESSAGES[reason];
    if (message === undefined) return;
    const { path } = this.#options;
    this.#log.note({
      kind: reason,
      level: "error",
      message: `the audit log ${path}: ${message}`,
      fields: {},
    });
  }
}

const MESSAGES: Partial<Record<FileReason, string>> = {
  PreviousFileMissing: "its file was removed or replaced, and another was begun",
  PreviousFileAltered:
    "lines that were signed are not as they were, and another file was begun: run claviger audit verify",
};
