import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { SETTLE_MILLISECONDS, SILENCE_MILLISECONDS } from "../../api-server-times.ts";
import type { KmsKeyId } from "../../crypto/ids.ts";
import type { ObservationRow } from "../../keyring/rows.ts";
import type { MonotonicClock } from "./monotonic-clock.ts";

/** How often a Status without other news is passed on. */
const TELL_MILLISECONDS = 60_000;

export interface ApiServerObserverOptions {
  readonly provider: string;
  /** The record of the former plugin about the provider, if nobody else can have written since. */
  readonly former?: ObservationRow | undefined;
  /** Returns epoch milliseconds, for times that people read. */
  readonly wall: () => number;
  readonly monotonic: MonotonicClock;
  /** Called after an observation changed. */
  readonly onObserved: () => void;
  /** SETTLE_MILLISECONDS and SILENCE_MILLISECONDS if left out. */
  readonly settleMilliseconds?: number | undefined;
  readonly silenceMilliseconds?: number | undefined;
}

/**
 * Observes the API server behind one socket: the calls that it sends, and since when without a break.
 *
 * An episode is the unbroken time in which the API server asked for Status and was told the same key_id. If
 * the same episode is found again, nothing uncounted happened in between. All times except those for people
 * are by a clock that never steps.
 */
export class ApiServerObserver {
  readonly #provider: string;
  readonly #wall: () => number;
  readonly #monotonic: MonotonicClock;
  readonly #onObserved: () => void;
  readonly #settleMilliseconds: number;
  readonly #silenceMilliseconds: number;
  readonly #silence: NodeJS.Timeout;
  #settling: NodeJS.Timeout | undefined;
  #episodeSettling: NodeJS.Timeout | undefined;
  #former: ObservationRow | undefined;
  /** The count of Encrypts is kept beside the row, so that a call makes no new row. */
  #row: Readonly<Omit<ObservationRow, "encrypts" | "lastEncryptAt">> | undefined;
  #encrypts = 0;
  #lastEncryptAt: number | undefined;
  /** When Status was last asked, or this observer began, by the monotonic clock. */
  #askedAt: number;
  #lastStatusAt: number | undefined;
  readonly #startedAt: number;
  #silentSince: number | undefined;
  /** When a Status was last passed on. */
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: ApiServerObserverOptions) {
    this.#provider = options.provider;
    this.#wall = options.wall;
    this.#monotonic = options.monotonic;
    this.#onObserved = options.onObserved;
    this.#settleMilliseconds = options.settleMilliseconds ?? SETTLE_MILLISECONDS;
    this.#silenceMilliseconds = options.silenceMilliseconds ?? SILENCE_MILLISECONDS;
    const now = this.#monotonic.now();
    const former = ofThisBoot(options.former, this.#monotonic.boot, now);
    this.#former = former?.mark?.whole === true ? former : undefined;
    this.#askedAt = this.#former?.mark?.statusAt ?? now;
    this.#lastStatusAt = former?.lastStatusAt;
    this.#silentSince = former?.notAskedSince;
    this.#startedAt = this.#wall();
    this.#silence = setTimeout(() => this.#fallSilent(), this.#silenceMilliseconds);
    this.#silence.unref();
  }

  /** The observations under the key_id that Status names; undefined before there is a key_id. */
  get row(): ObservationRow | undefined {
    if (this.#row === undefined) return undefined;
    const { boot } = this.#monotonic;
    return {
      ...this.#row,
      encrypts: this.#encrypts,
      ...(this.#lastEncryptAt !== undefined && { lastEncryptAt: this.#lastEncryptAt }),
      ...(this.#lastStatusAt !== undefined && { lastStatusAt: this.#lastStatusAt }),
      ...(this.#silentSince !== undefined && { notAskedSince: this.#silentSince }),
      ...(boot !== undefined && { mark: { boot, statusAt: this.#askedAt, whole: false } }),
    };
  }

  get lastStatusAt(): number | undefined {
    return this.#lastStatusAt;
  }

  /** True if Status was not asked for three minutes. */
  get isSilent(): boolean {
    return this.#silentSince !== undefined;
  }

  /** Records that Status names this key_id from now on. */
  serve(kmsKeyId: KmsKeyId): void {
    const former = this.#former;
    this.#former = undefined;
    if (former?.kmsKeyId === kmsKeyId && !this.#isOverdue) this.#continue(former);
    else this.#begin(kmsKeyId);
    this.#onObserved();
  }

  /** Records that the API server asked for Status, whatever the answer was. */
  asked(): void {
    const wasOverdue = this.#isOverdue;
    const wasSilent = this.isSilent;
    this.#askedAt = this.#monotonic.now();
    this.#lastStatusAt = this.#wall();
    this.#silentSince = undefined;
    this.#silence.refresh();
    if (wasOverdue) this.#beginAgain();
    if (!wasOverdue && !wasSilent && this.#askedAt - this.#toldAt < TELL_MILLISECONDS) return;
    this.#toldAt = this.#askedAt;
    this.#onObserved();
  }

  /**
   * Records that the API server had a data key seed encrypted. It keeps a seed for as long as the key_id
   * stays, so another Encrypt means that it was started, loads another file, or tries a file: a request that
   * it began by the former file may still be in progress.
   */
  encrypted(): void {
    if (this.#row === undefined) return;
    this.#encrypts += 1;
    this.#lastEncryptAt = this.#wall();
    if (this.#row.settled) this.#row = { ...this.#row, settled: false };
    this.#settleLater();
    this.#onObserved();
  }

  /** Stops all timers. */
  close(): void {
    clearTimeout(this.#settling);
    clearTimeout(this.#episodeSettling);
    clearTimeout(this.#silence);
  }

  /** Uses the clock, not the timer: a process that was stopped receives its calls before its timers. */
  get #isOverdue(): boolean {
    return this.#monotonic.now() - this.#askedAt >= this.#silenceMilliseconds;
  }

  #begin(kmsKeyId: KmsKeyId): void {
    this.#encrypts = 0;
    this.#lastEncryptAt = undefined;
    this.#row = {
      provider: this.#provider,
      kmsKeyId,
      servingSince: this.#wall(),
      settled: false,
      episodeSettled: false,
      episode: randomUUID(),
    };
    this.#settleLater();
    this.#settleEpisodeLater();
  }

  #beginAgain(): void {
    this.#former = undefined;
    if (this.#row !== undefined) this.#begin(this.#row.kmsKeyId);
  }

  #continue(former: ObservationRow): void {
    const { servingSince, settled, kmsKeyId, episode } = former;
    const episodeSettled = settled || former.episodeSettled === true;
    this.#encrypts = former.encrypts;
    this.#lastEncryptAt = former.lastEncryptAt;
    this.#row = {
      provider: this.#provider,
      ...{ kmsKeyId, servingSince, settled, episodeSettled },
      episode: episode ?? randomUUID(),
    };
    if (!settled) this.#settleLater();
    if (!episodeSettled) this.#settleEpisodeLater();
  }

  /** Uses timers, because a clock that is set forward does not make them fire early. */
  #settleLater(): void {
    this.#settling ??= setTimeout(
      () => this.#change({ settled: true, episodeSettled: true }),
      this.#settleMilliseconds,
    ).unref();
    this.#settling.refresh();
  }

  #settleEpisodeLater(): void {
    clearTimeout(this.#episodeSettling);
    this.#episodeSettling = setTimeout(
      () => this.#change({ episodeSettled: true }),
      this.#settleMilliseconds,
    );
    this.#episodeSettling.unref();
  }

  #change(change: Pick<ObservationRow, "episodeSettled"> & Partial<ObservationRow>): void {
    const next = this.#row && { ...this.#row, ...change };
    if (next === undefined || isDeepStrictEqual(next, this.#row)) return;
    this.#row = next;
    this.#onObserved();
  }

  #fallSilent(): void {
    this.#silentSince ??= this.#lastStatusAt ?? this.#startedAt;
    this.#onObserved();
  }
}

/** A boot ends every API server, and times by the monotonic clock are only valid within one boot. */
function ofThisBoot(
  former: ObservationRow | undefined,
  boot: string | undefined,
  now: number,
): ObservationRow | undefined {
  const mark = former?.mark;
  return mark !== undefined && mark.boot === boot && mark.statusAt <= now ? former : undefined;
}
