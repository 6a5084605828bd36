import { timeOf } from "../../times.ts";
import { NODE_LEASE_SECONDS } from "./node-leases.ts";

const FRESH_MILLISECONDS = NODE_LEASE_SECONDS * 1000;

/** How far a Lease's renewTime was from our uptime when we saw it written, and when that was. */
interface Renewal {
  readonly offset: number;
  readonly heardAt: number;
}

interface Heard {
  readonly renewTime: string;
  readonly firstAt: number;
  /** Of the renewals of a Lease's duration; absent until the Lease has changed once under our eyes. */
  readonly seen?: { readonly last: Renewal; readonly lowest: Renewal; readonly highest: Renewal };
}

/** The clocks of the other nodes that are alive, or may be. */
export interface NodeClocks {
  /** How far each clock is ahead of ours, in milliseconds, by node. */
  readonly skews: ReadonlyMap<string, number>;
  /** Nodes whose Lease was there when this process began and has not been renewed since, for now. */
  readonly unheard: readonly string[];
}

/**
 * The clocks of the other nodes, as the renewTime of their Leases shows them. If a Lease says
 * different things within its duration, the farthest from our clock counts: somebody else may
 * write that Lease too.
 */
export class LeaseClocks {
  readonly #heard = new Map<string, Heard>();

  /** `uptime` in milliseconds, by a clock that never steps. */
  hear(node: string, renewTime: string | undefined, uptime: number): void {
    const before = this.#heard.get(node);
    const wrote = timeOf(renewTime);
    if (renewTime === undefined || Number.isNaN(wrote) || before?.renewTime === renewTime) return;
    // The first sight of a Lease may be of any age.
    const seen = before && { seen: seenAfter(before, { offset: wrote - uptime, heardAt: uptime }) };
    this.#heard.set(node, { renewTime, firstAt: before?.firstAt ?? uptime, ...seen });
  }

  forget(node: string): void {
    this.#heard.delete(node);
  }

  /** The clocks of `nodes` at this time of ours. A Lease of any other name is nobody's: whoever may write Leases can make one. */
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
