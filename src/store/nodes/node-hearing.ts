import { NODE_LEASE_SECONDS } from "./node-leases.ts";

/**
 * The greatest difference between two clocks over one renewal at which the renewal counts from when it was
 * made.
 */
const TOLERANCE = 3_000;
/** Renewals that arrive closer together than this may have waited in a buffer. */
const LIVE_GAP = 5_000;
/** If more time than this passed for a node but not for us, this machine stood still. */
const UNSEEN = 10_000;
/** Long enough ago to make a node silent. */
const NEVER = (NODE_LEASE_SECONDS + 1) * 1000;

/** The last renewal of a node: by its own clock, and by our clock that never jumps. */
interface Renewal {
  readonly renewed: number;
  readonly came: number;
  /**
   * How long it had been on its way; negative if more time passed for the node than for us; "unseen" if
   * nobody can tell.
   */
  readonly lag: number | "unseen";
}

/** Our clocks at the moment when a renewal arrives, in milliseconds. */
export interface Arrival {
  /** Epoch. */
  readonly now: number;
  /** By a clock that never jumps. */
  readonly came: number;
}

/**
 * Knows when each node's operator last renewed its Lease, by our own clock.
 *
 * A renewal is not always read when it was made: a process that was stopped, or a machine that was paused,
 * reads minutes of buffered renewals at once when it continues. So the time between two renewals by the
 * node's own clock is compared with the time between their arrivals. The clocks themselves are never
 * compared, except for the first renewal that is seen of a node.
 */
export class NodeHearing {
  readonly heardOf = new Map<string, number>();
  readonly #last = new Map<string, Renewal>();

  forget(node: string): void {
    this.heardOf.delete(node);
    this.#last.delete(node);
  }

  /** Takes a node's Lease. If its renewTime cannot be read, it only shows that the node exists. */
  hear(node: string, renewed: number | undefined, { now, came }: Arrival): void {
    if (renewed === undefined) {
      if (!this.heardOf.has(node)) this.heardOf.set(node, now - NEVER);
      return;
    }
    const last = this.#last.get(node);
    const lag = last === undefined ? Math.max(0, now - renewed) : lagOf(last, renewed, came);
    this.#last.set(node, { renewed, came, lag });
    this.heardOf.set(node, now - (lag === "unseen" ? NEVER : Math.max(0, lag)));
  }
}

function lagOf({ lag, ...last }: Renewal, renewed: number, came: number): Renewal["lag"] {
  const here = came - last.came;
  const there = renewed - last.renewed;
  if (here >= LIVE_GAP && Math.abs(here - there) <= TOLERANCE) return 0;
  if (lag === "unseen" || lag + here - there < -UNSEEN) return "unseen";
  return lag + here - there;
}
