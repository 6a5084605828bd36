import type { View } from "../../store/view.ts";
import { nodeViews } from "../nodes/node-views.ts";
import type { RetirementFacts } from "./key-uses.ts";
import type { UsageCount } from "./usage-census.ts";
import type { Waiting } from "./waiting-period.ts";

export interface RetirementSources {
  /** KeyServers and KeyAliases may have been read past the cache. */
  readonly view: Pick<View, "keyServers" | "keyAliases" | "heardOf">;
  readonly count: UsageCount;
  readonly waiting: Waiting;
}

/**
 * Gathers the facts that decide if keys and versions may be destroyed. `now` is the time by which nodes are
 * silent.
 */
export function gatherRetirement(
  { view: { keyServers, keyAliases, heardOf }, count, waiting }: RetirementSources,
  now: Date,
): RetirementFacts {
  return { keyServers, keyAliases, nodes: nodeViews(keyServers, heardOf, now), count, waiting };
}
