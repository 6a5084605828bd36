import type { NodeClocks } from "../../store/nodes/lease-clocks.ts";
import { DAY_MILLISECONDS, HOUR_MILLISECONDS } from "../../times.ts";
import type { Obstacle } from "../retirement/usage-census.ts";

/** Far less than seven days, and more than the error of any clock that NTP sets. */
export const MAX_SKEW_MILLISECONDS = 300_000;

export interface ObservedTime {
  /** The clocks of others; left out if there is no API server that could know of any. */
  readonly others?: {
    /**
     * How far the API server's clock is ahead of this host's, in milliseconds; undefined while it has not
     * answered.
     */
    readonly server: number | undefined;
    /** The clocks of other nodes; undefined until their Leases are known. */
    readonly nodes: NodeClocks | undefined;
  };
  /** How far this host's clock was set recently, compared with the time that really passed. */
  readonly stepped: number;
}

export type TimeVerdict =
  /**
   * `independent`: another machine's clock is among those that agree. The API server on this machine is not
   * independent.
   */
  | { readonly kind: "agreed"; readonly independent: boolean }
  /** Nobody has been asked yet, or nobody answers. */
  | ({ readonly kind: "unknown" } & Obstacle)
  /** `doubted`: this host's clock may be the wrong one, because no majority of the nodes agrees with it. */
  | ({ readonly kind: "disagree"; readonly doubted: boolean } & Obstacle);

/**
 * Decides if this host's clock may be trusted. The API server next to an operator runs on the same machine,
 * so its agreement proves nothing, but its disagreement does. Times that the API server wrote into objects
 * are not compared: a clock that was wrong for an hour would stop everything for as long as it was ahead.
 */
export function decideTime({ others, stepped }: ObservedTime): TimeVerdict {
  if (others === undefined) return decideAlone(stepped);
  const { server, nodes } = others;
  if (server === undefined || nodes === undefined)
    return unknown("the API server has not said what time it is");
  const clocks = [
    ["the API server's", server] as const,
    ...[...nodes.skews].map(([name, skew]) => [`node ${name}'s`, skew] as const).sort(byName),
  ];
  const far = clocks.filter(([, skew]) => isFar(skew));
  if (far.length > 0) {
    const list = far.map(([whose, skew]) => `${whose} by ${describe(skew)}`).join(", ");
    return disagree(
      `this node's clock differs from ${list}: set all clocks by NTP`,
      isDoubted(server, nodes.skews),
    );
  }
  const waitingFor = nodes.unheard.toSorted().join(", ");
  if (waitingFor !== "") return unknown(`these nodes have not renewed their Leases yet: ${waitingFor}`);
  return nodes.skews.size > 0 ? { kind: "agreed", independent: true } : decideAlone(stepped);
}

/** With nobody to compare with, a clock that was set while this process ran may be right or wrong now. */
function decideAlone(stepped: number): TimeVerdict {
  if (!isFar(stepped)) return { kind: "agreed", independent: false };
  const how = `this node's clock was set ${stepped > 0 ? "forward" : "back"} by ${length(stepped)} while its operator ran`;
  return disagree(
    `${how}: set it by NTP if that was wrong; after an hour the new time is taken as right`,
    true,
  );
}

const unknown = (why: string): TimeVerdict => ({
  kind: "unknown",
  reason: "ClocksNotCompared",
  message: `this node's clock is not compared with others yet: ${why}`,
});

const disagree = (message: string, doubted: boolean): TimeVerdict => ({
  kind: "disagree",
  reason: "ClocksDisagree",
  message,
  doubted,
});

const isFar = (skew: number): boolean => Math.abs(skew) > MAX_SKEW_MILLISECONDS;

/** One node with a wrong clock, or a forged Lease, must not make the others doubt their own clocks. */
function isDoubted(server: number, nodes: ReadonlyMap<string, number>): boolean {
  const others = [...nodes.values()].filter(isFar).length;
  const agreeing = nodes.size - others + 1;
  return isFar(server) || agreeing <= others;
}

const byName = ([a]: readonly [string, number], [b]: readonly [string, number]): number => (a < b ? -1 : 1);

const describe = (skew: number): string => `${length(skew)} (it is ${skew > 0 ? "ahead" : "behind"})`;

const UNITS = [
  ["days", DAY_MILLISECONDS],
  ["hours", HOUR_MILLISECONDS],
  ["minutes", 60_000],
] as const;

/**
 * Uses the largest unit of which there are at least two: a message in a status must not change every second.
 */
export function length(milliseconds: number): string {
  const size = Math.abs(milliseconds);
  const [name, unit] = UNITS.find(([, each]) => size >= 2 * each) ?? ["minutes", 60_000];
  return `${Math.round(size / unit)} ${name}`;
}

/** Returns why nothing may be decided on this host's clock, or undefined if it may. */
export const clockObstacle = (time: TimeVerdict): Obstacle | undefined =>
  time.kind === "agreed" ? undefined : { reason: time.reason, message: time.message };
