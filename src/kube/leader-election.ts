import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { ToldOnce } from "../told-once.ts";
import type { KubeClient } from "./client.ts";
import { type Lease, type LeaseRef, type LeaseSpec, microTime, readLease, writeLease } from "./leases.ts";
import { retryAfterOf } from "./unanswered.ts";

/**
 * client-go's defaults. A holder stops acting `renew` after its last successful renewal, and others wait
 * `lease`.
 */
const LEASE_SECONDS = 15;
const LONGEST_LEASE_SECONDS = 60;
const MOST_TRANSITIONS = 2 ** 31 - 1;
const RENEW_MILLISECONDS = 10_000;
const RETRY_MILLISECONDS = 2_000;

export type ElectionMove =
  | { readonly kind: "take"; readonly spec: LeaseSpec }
  | { readonly kind: "renew"; readonly spec: LeaseSpec }
  | { readonly kind: "follow"; readonly holder: string };

/**
 * Decides what a candidate does about a Lease that it has seen unchanged for `unchanged` milliseconds, by its
 * own clock that never jumps. The clocks of two machines are never compared.
 */
export function decideElection(
  lease: Lease | undefined,
  unchanged: number,
  identity: string,
  now: number,
): ElectionMove {
  const spec = lease?.spec;
  const renewed = {
    holderIdentity: identity,
    leaseDurationSeconds: LEASE_SECONDS,
    renewTime: microTime(now),
  };
  if (spec?.holderIdentity === identity) {
    return { kind: "renew", spec: { ...spec, ...renewed } };
  }
  const held = spec?.holderIdentity !== undefined && spec.holderIdentity !== "";
  // A dead holder that asked for years must not keep the others from leading.
  const duration = Math.min(spec?.leaseDurationSeconds ?? LEASE_SECONDS, LONGEST_LEASE_SECONDS) * 1000;
  if (held && unchanged <= duration) return { kind: "follow", holder: spec.holderIdentity ?? "" };
  // An int32 in Kubernetes. It starts again at its end, otherwise nobody could ever lead again.
  const before = spec?.leaseTransitions ?? 0;
  const transitions = spec === undefined || before >= MOST_TRANSITIONS ? 0 : before + 1;
  return { kind: "take", spec: { ...renewed, acquireTime: microTime(now), leaseTransitions: transitions } };
}

/**
 * Elects a leader among the operators by a Lease. Leadership only decides who works: every write that matters
 * also names the resourceVersion on which it was decided, so that two leaders for a moment cannot undo each
 * other's work.
 */
export class LeaderElector {
  readonly #client: KubeClient;
  readonly #ref: LeaseRef;
  readonly #identity: string;
  readonly #log: Log;
  readonly #trouble: ToldOnce;
  readonly #onChange: (leading: boolean) => void;
  readonly #onAttempt: (failure: unknown) => void | Promise<void>;
  readonly #now: () => number;
  readonly #retryMilliseconds: number;
  /** The Lease as last seen, and the time at which it was first seen in this state. */
  #seen: { readonly resourceVersion: string; readonly since: number } | undefined;
  #lastRenewal = 0;
  #leading = false;

  constructor(options: {
    readonly client: KubeClient;
    readonly ref: LeaseRef;
    /** Unique among living operators. */
    readonly identity: string;
    readonly log: Log;
    readonly onChange: (leading: boolean) => void;
    /** Called after each attempt to lead or to follow, with its error if it failed. Must not throw. */
    readonly onAttempt?: (failure: unknown) => void | Promise<void>;
    /** Returns milliseconds of a clock that never goes back. */
    readonly now?: () => number;
    readonly retryMilliseconds?: number;
  }) {
    this.#client = options.client;
    this.#ref = options.ref;
    this.#identity = options.identity;
    this.#log = options.log;
    this.#trouble = new ToldOnce(options.log);
    this.#onChange = options.onChange;
    this.#onAttempt = options.onAttempt ?? (() => undefined);
    this.#now = options.now ?? (() => performance.now());
    this.#retryMilliseconds = options.retryMilliseconds ?? RETRY_MILLISECONDS;
  }

  /** True if this operator may act as leader at this moment. */
  get leading(): boolean {
    return this.#leading && this.#now() - this.#lastRenewal < RENEW_MILLISECONDS;
  }

  /** Runs until aborted, then releases the Lease. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let asked = 0;
      try {
        await this.#attempt(AbortSignal.any([signal, AbortSignal.timeout(RENEW_MILLISECONDS)]));
        this.#trouble.end("leader election works again");
        await this.#onAttempt(undefined);
      } catch (error) {
        if (signal.aborted) break;
        // Waits no longer than client-go's leaders would wait for a renewal.
        asked = Math.min(retryAfterOf(error) ?? 0, RENEW_MILLISECONDS);
        this.#trouble.meet(`leader election failed and is tried again: ${messageOf(error)}`);
        if (this.#leading && !this.leading) this.#set(false);
        await this.#onAttempt(error);
      }
      if (this.#leading && !this.leading) this.#set(false);
      // Jitter, so that many operators that lost the same API server do not come back in step.
      const pause = this.#retryMilliseconds * (0.75 + Math.random() / 2);
      await sleep(Math.max(asked, pause), undefined, { signal }).catch(() => undefined);
    }
    await this.#release();
  }

  async #attempt(signal: AbortSignal): Promise<void> {
    const started = this.#now();
    const lease = await readLease(this.#client, this.#ref, signal);
    const resourceVersion = lease?.metadata.resourceVersion ?? "";
    if (this.#seen?.resourceVersion !== resourceVersion) this.#seen = { resourceVersion, since: started };
    const move = decideElection(lease, started - this.#seen.since, this.#identity, Date.now());
    if (move.kind === "follow") return this.#set(false);
    await writeLease(this.#client, this.#ref, lease, move.spec, signal);
    // Work was skipped while the last renewal had run out, so leading starts again from the beginning.
    if (this.#leading && !this.leading) this.#set(false);
    // Counted from before the call, because the others count from when they see the renewal.
    this.#lastRenewal = started;
    this.#set(true);
  }

  #set(leading: boolean): void {
    if (leading === this.#leading) return;
    this.#leading = leading;
    this.#log("info", leading ? "this operator leads" : "this operator no longer leads");
    this.#onChange(leading);
  }

  /** After a clean stop another operator can lead at once instead of after 15 s. */
  async #release(): Promise<void> {
    if (!this.leading) return;
    this.#set(false);
    try {
      const signal = AbortSignal.timeout(RETRY_MILLISECONDS);
      const lease = await readLease(this.#client, this.#ref, signal);
      if (lease?.spec?.holderIdentity !== this.#identity) return;
      await writeLease(this.#client, this.#ref, lease, { ...lease.spec, holderIdentity: "" }, signal);
    } catch (error) {
      this.#log(
        "warn",
        `the leader's Lease could not be released; another operator can lead when the Lease expires: ${messageOf(error)}`,
      );
    }
  }
}
