import { asClavigerError, type ClavigerError } from "../../errors.ts";
import { ENDED_GRANT_MILLISECONDS, type GrantRow } from "../grant-row.ts";
import type { KeyringReader } from "../reader.ts";
import { LookPace } from "./look-pace.ts";
import { openTrusted } from "./trusted-reader.ts";

const POLL_MILLISECONDS = 200;
/** Rows per turn of the event loop: some milliseconds. */
const LOAD_CHUNK = 500;
const SWEEP_MILLISECONDS = 60_000;

/** The place where a node's grants are kept in memory. */
export interface GrantSink {
  put(grant: GrantRow): void;
  delete(grantId: string): void;
  clear(): void;
}

/**
 * The grants of a node's keyring in memory, following the file. If the file cannot be read, the grants that
 * were read continue to count, and `problem` says so.
 */
export class LiveGrants {
  readonly #path: string;
  readonly #sink: GrantSink;
  /** When each ended grant in memory ended, in epoch milliseconds. */
  readonly #ended = new Map<string, number>();
  readonly #pace = new LookPace(() => this.#poll());
  #reader: KeyringReader | undefined;
  #seq = 0;
  #complete = false;
  #loading = false;
  #problem: ClavigerError | undefined;
  #timers: readonly NodeJS.Timeout[] = [];

  constructor(path: string, sink: GrantSink) {
    this.#path = path;
    this.#sink = sink;
  }

  /** Reads the grants for the first time and then follows them. Never throws: see `problem`. */
  start(): void {
    this.#pace.look();
    this.#timers = [
      setInterval(() => this.#pace.look(), POLL_MILLISECONDS),
      setInterval(() => this.#forgetEnded(Date.now()), SWEEP_MILLISECONDS),
    ];
  }

  /**
   * Looks at the file now, unless looks have cost too much lately: a caller must see its own change. Returns true if it
   * has looked.
   */
  freshen(): boolean {
    return this.#pace.lookIfDue();
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#reader?.close();
    this.#reader = undefined;
  }

  /** True once the operator has recorded all grants, and every grant of the file is in memory. */
  get complete(): boolean {
    return this.#complete;
  }

  /** The reason why the file cannot be read at present, if so. */
  get problem(): ClavigerError | undefined {
    return this.#problem;
  }

  #poll(): void {
    try {
      if (this.#reader?.replaced()) this.#close();
      this.#reader ??= this.#open();
      if (!this.#complete || this.#reader.changed()) void this.#load();
      this.#problem = undefined;
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Opens the file, which may be another file than before: nothing that was read before counts from then on. */
  #open(): KeyringReader {
    const reader = openTrusted(this.#path);
    this.#seq = 0;
    this.#ended.clear();
    this.#sink.clear();
    return reader;
  }

  #close(): void {
    this.#reader?.close();
    this.#reader = undefined;
    this.#complete = false;
  }

  async #load(): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    try {
      const reader = this.#reader;
      // Asked first: the rows of all grants are there once it is true.
      const hasFollowed = reader?.hasFollowed("KeyGrant") ?? false;
      for (;;) {
        const rows = reader?.grantsAfter(this.#seq, LOAD_CHUNK) ?? [];
        for (const { seq, grantId, grant } of rows) this.#take(seq, grantId, grant);
        if (rows.length < LOAD_CHUNK) break;
        await new Promise(setImmediate);
        // Another file was opened meanwhile, or none: the next look loads it.
        if (this.#reader !== reader) return;
      }
      this.#complete = hasFollowed;
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#loading = false;
    }
  }

  /** A row that cannot be read allows nothing. */
  #take(seq: number, grantId: string, grant: GrantRow | undefined): void {
    this.#seq = seq;
    if (grant === undefined) this.#sink.delete(grantId);
    else this.#sink.put(grant);
    if (grant?.ended !== undefined) this.#ended.set(grantId, grant.ended.at);
  }

  #forgetEnded(now: number): void {
    for (const [grantId, at] of this.#ended) {
      if (now - at < ENDED_GRANT_MILLISECONDS) continue;
      this.#ended.delete(grantId);
      this.#sink.delete(grantId);
    }
  }

  /** A file that fails is opened again next time. The grants that were read stay. */
  #fail(error: unknown): void {
    this.#close();
    this.#problem = asClavigerError(error);
  }
}
