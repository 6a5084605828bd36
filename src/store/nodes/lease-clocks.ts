import { timeOf } from "../../times.ts";
import { NODE_LEASE_SECONDS } from "./node-leases.ts";

const FRESH_MILLISECONDS = NODE_LEASE_SECONDS * 1000;

/**
 * The difference between a Lease's renewTime and our uptime when we saw it written, and the time at which we
 * did.
 */
interface Renewal {
  readonly offset: number;
  readonly heardAt: number;
}

interface Heard {
  readonly renewTime: string;
  readonly firstAt: number;
  /** The renewals within a Lease's duration; absent until this process has seen the Lease change once. */
  readonly seen?: { readonly last: Renewal; readonly lowest: Renewal; readonly highest: Renewal };
}

/** The clocks of the other nodes that are alive, or may be. */
export interface NodeClocks {
  /** How far each clock is ahead of ours, in milliseconds, by node. */
  readonly skews: ReadonlyMap<string, number>;
  /** Nodes whose Lease existed when this process began and has not been renewed since, so far. */
  readonly unheard: readonly string[];
}

/**
 * The clocks of the other nodes, by the renewTime of their Leases. If a Lease shows different times within
 * its duration, the farthest from our clock counts, because somebody else may write that Lease too.
 */
export class LeaseClocks {
  readonly #heard = new Map<string, Heard>();

  /** `uptime` is in milliseconds, by a clock that never steps. */
  hear(node: string, renewTime: string | undefined, uptime: number): void {
    const before = this.#heard.get(node);
    const wrote = timeOf(renewTime);
    if (renewTime === undefined || Number.isNaN(wrote) || before?.renewTime === renewTime) return;
    // A Lease that is seen for the first time may be of any age.
    const seen = before && { seen: seenAfter(before, { offset: wrote - uptime, heardAt: uptime }) };
    this.#heard.set(node, { renewTime, firstAt: before?.firstAt ?? uptime, ...seen });
  }

  forget(node: string): void {
    this.#heard.delete(node);
  }

  /**
   * Returns the clocks of `nodes` at this time of ours. Leases of other names are ignored, because whoever
   * may write Leases can create them.
   */
  at(wall: number, uptime: number, nodes: ReadonlySet<string>): NodeClocks {
    const skews = new Map<string, number>();
    const unheard: string[] = [];
    for (const [node, { seen, firstAt }] of this.#heard) {
      if (!nodes.has(node)) continue;
      if (uptime - (seen?.last.heardAt ?? firstAt) > FRESH_MILLISECONDS) continue;
      if (seen === undefined) unheard.push(node);
      else skews.set(node, farther(seen.lowest.offset + uptime - wall, seen.highest.offset + uptime - wall));
    }
    return { skews, unheard };
  }
}

const farther = (a: number, b: number): number => (Math.abs(a) > Math.abs(b) ? a : b);

function seenAfter({ seen }: Heard, last: Renewal): Required<Heard>["seen"] {
  const isFresh = (renewal: Renewal | undefined): renewal is Renewal =>
    renewal !== undefined && last.heardAt - renewal.heardAt <= FRESH_MILLISECONDS;
  const { lowest, highest } = seen ?? {};
  return {
    last,
    lowest: isFresh(lowest) && lowest.offset <= last.offset ? lowest : last,
    highest: isFresh(highest) && highest.offset >= last.offset ? highest : last,
  };
}
