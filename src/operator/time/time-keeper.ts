import type { Clock } from "../../clock.ts";
import { messageOf } from "../../errors.ts";
import {
  type OperatorTime,
  periodKey,
  type WaitingPeriod,
  WaitingPeriods,
} from "../../keyring/tables/waiting-periods.ts";
import type { KeyringWriter } from "../../keyring/writer.ts";
import type { Log } from "../../log.ts";
import type { OtherClocks } from "../../store/roles.ts";
import type { View } from "../../store/view.ts";
import { HOUR_MILLISECONDS } from "../../times.ts";
import { decidePeriods } from "../retirement/decide-periods.ts";
import type { Obstacle } from "../retirement/usage-census.ts";
import type { Waiting } from "../retirement/waiting-period.ts";
import { clockObstacle, decideTime, MAX_SKEW_MILLISECONDS, type TimeVerdict } from "./decide-time.ts";

/** How often the passed time is recorded. Time since the last record is lost in a crash. */
const WRITE_MILLISECONDS = 60_000;
/** How old the recorded time may become if there is no other reason to write. */
const RECORD_MILLISECONDS = 3_600_000;
/** How long a clock that was set is doubted, if no other clock says if it is right. */
const STEP_MILLISECONDS = HOUR_MILLISECONDS;
/** The timeout for the API server's answer with its time. */
const PATIENCE = 10_000;

/** The reason why this node's clock does not count, and the time to use instead, if it is known. */
export interface Doubt {
  readonly at: Date | undefined;
  readonly obstacle: Obstacle;
}

/**
 * Knows if this node's clock may be trusted, and what this node itself saw of time and of waiting periods.
 */
export class TimeKeeper {
  readonly #clock: Clock;
  readonly #clocks: OtherClocks;
  readonly #periods: WaitingPeriods;
  readonly #log: Log;
  readonly #onChange: () => void;
  /** Wall clock minus the clock that never steps, as it was before any recent step. */
  #usual: number;
  /** That difference since the clock was set, and the uptime at which it was noticed. */
  #step: { readonly offset: number; readonly seenAt: number } | undefined;
  #byKey: ReadonlyMap<string, WaitingPeriod>;
  /** The keyring's record of time, and the time that this process had seen when it was written. */
  #written: OperatorTime;
  #writtenAt: number;
  /**
   * The time when this node's clock was last known to be right, and the value of `#passing` then; 0 if never.
   */
  #agreed: { readonly at: number; readonly passing: number };
  /** The API server's time minus our uptime, when it was last asked. */
  #server: number | undefined;
  #said: string | undefined;
  #kind: TimeVerdict["kind"] = "unknown";

  constructor(options: {
    readonly clock: Clock;
    readonly store: OtherClocks;
    readonly keyring: KeyringWriter;
    readonly log: Log;
    /** Called when clocks begin to disagree, or to agree. */
    readonly onChange: () => void;
  }) {
    this.#clock = options.clock;
    this.#clocks = options.store;
    this.#periods = new WaitingPeriods(options.keyring);
    this.#log = options.log;
    this.#onChange = options.onChange;
    this.#usual = this.#offset;
    this.#byKey = byKey(this.#periods.all());
    this.#written = this.#periods.time();
    this.#writtenAt = this.#passing;
    this.#agreed = { at: this.#written.agreedAt, passing: this.#writtenAt };
  }

  /** Asks the API server for its time. Rejects if it does not answer. */
  async ask(signal: AbortSignal): Promise<void> {
    const time = await this.#clocks.serverTime(AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]));
    this.#server = time === undefined ? undefined : time - this.#clock.uptime();
    this.tick();
  }

  get verdict(): TimeVerdict {
    const wall = this.#clock.wall();
    const uptime = this.#clock.uptime();
    const stepped = this.#offset - this.#usual;
    if (this.#clocks.nodeClocks === undefined) return decideTime({ stepped });
    const server = this.#server === undefined ? undefined : this.#server + uptime - wall;
    return decideTime({ stepped, others: { server, nodes: this.#clocks.nodeClocks(wall, uptime) } });
  }

  /** Returns the time by which waiting periods end. */
  now(): Date {
    return this.#clock.now();
  }

  get waiting(): Waiting {
    return { time: this.verdict, periods: this.#byKey, seen: this.#seen };
  }

  /**
   * Set while this node's clock may be wrong: the time by which material expires meanwhile, as the plugin
   * computes it, and the problem. `at` is undefined if the clock was never known to be right.
   */
  get doubt(): Doubt | undefined {
    const time = this.verdict;
    const obstacle = clockObstacle(time);
    if (obstacle === undefined || !this.#isDoubted(time)) return undefined;
    return { at: this.#agreedAt > 0 ? new Date(this.#agreedAt) : undefined, obstacle };
  }

  /** Records the waiting periods in these resources. */
  note(view: Pick<View, "masterKeys" | "keyVersions">): void {
    const held = () => this.#periods.held();
    const { put, drop } = decidePeriods({ ...view, ...this.waiting, held }, this.#clock.now());
    if (put.length === 0 && drop.length === 0) return;
    this.#writeTime(this.verdict);
    this.#periods.apply(put, drop);
    this.#byKey = byKey(this.#periods.all());
  }

  /**
   * Call this every second or so: it notices when a clock steps, and records the passed time. Never throws.
   */
  tick(): void {
    try {
      this.#followSteps();
      const time = this.verdict;
      const doubted = this.#isDoubted(time);
      if (time.kind !== "unknown" && !doubted)
        this.#agreed = { at: this.#clock.now().getTime(), passing: this.#passing };
      const isDue = this.#passing - this.#writtenAt >= WRITE_MILLISECONDS;
      const isNeeded = this.#byKey.size > 0 || doubted;
      const isOld = Math.abs(this.#agreedAt - this.#written.agreedAt) >= RECORD_MILLISECONDS;
      if ((isNeeded && isDue) || isOld || doubted !== this.#written.doubted) this.#writeTime(time);
      this.#say(time);
    } catch (error) {
      this.#warnUnwritten(error);
    }
  }

  /**
   * A machine that slept has stepped too. If there is nobody to ask, a clock that stays as it is counts as
   * right after a while.
   */
  #followSteps(): void {
    const offset = this.#offset;
    if (Math.abs(offset - this.#usual) <= MAX_SKEW_MILLISECONDS) {
      this.#step = undefined;
      return;
    }
    const isNew = Math.abs(offset - (this.#step?.offset ?? Infinity)) > MAX_SKEW_MILLISECONDS;
    if (this.#step === undefined || isNew) this.#step = { offset, seenAt: this.#clock.uptime() };
    if (this.#clock.uptime() - this.#step.seenAt < STEP_MILLISECONDS) return;
    this.#usual = offset;
    this.#step = undefined;
  }

  /** Records the time that passed since the last record. Never throws. */
  close(): void {
    try {
      if (this.#byKey.size > 0 || this.#agreedAt > 0) this.#writeTime(this.verdict);
    } catch (error) {
      this.#warnUnwritten(error);
    }
  }

  /** Until the verdict is known, the former process's verdict holds. */
  #isDoubted(time: TimeVerdict): boolean {
    if (time.kind === "unknown") return this.#written.doubted;
    return time.kind === "disagree" && time.doubted;
  }

  #say(time: TimeVerdict): void {
    const said = time.kind === "disagree" ? time.message : undefined;
    if (said === this.#said && time.kind === this.#kind) return;
    if (said !== undefined)
      this.#log("error", `${said}; nothing is destroyed meanwhile`, { reason: "ClocksDisagree" });
    else if (this.#said !== undefined) this.#log("info", "all clocks agree again");
    this.#said = said;
    this.#kind = time.kind;
    this.#onChange();
  }

  #warnUnwritten(error: unknown): void {
    this.#log(
      "warn",
      `the elapsed time could not be written to keyring.db, so waiting periods may last longer: ${messageOf(error)}`,
    );
  }

  #writeTime(time: TimeVerdict): void {
    const seen = Math.round(this.#seen);
    const passing = this.#passing;
    const next = { seen, agreedAt: Math.round(this.#agreedAt), doubted: this.#isDoubted(time) };
    this.#periods.putTime(next);
    this.#written = next;
    this.#writtenAt = passing;
  }

  /** Milliseconds for which operators of this node have run. */
  get #seen(): number {
    return this.#written.seen + this.#passing - this.#writtenAt;
  }

  get #agreedAt(): number {
    const { at, passing } = this.#agreed;
    return at === 0 ? 0 : at + this.#passing - passing;
  }

  get #passing(): number {
    return this.#clock.uptime() + this.#clock.ahead();
  }

  get #offset(): number {
    return this.#clock.wall() - this.#clock.uptime();
  }
}

const byKey = (periods: readonly WaitingPeriod[]): ReadonlyMap<string, WaitingPeriod> =>
  new Map(periods.map((period) => [periodKey(period), period]));
