import type { KeyServer } from "../../resources/resources.ts";
import { isStale } from "./node-views.ts";

/**
 * The identities of living API servers that no node speaks for: each stores and reads without
 * claviger. A node that reports no identity, or another node's (as through a load balancer), may be
 * the one beside any of them, so that only what is more than those is certain.
 */
export function unclaimedApiServers(
  heardOf: ReadonlyMap<string, number>,
  keyServers: readonly KeyServer[],
  now: Date,
): string[] {
  const claimed = new Set(keyServers.flatMap(({ status }) => status?.apiServer?.id ?? []));
  if (claimed.size === 0) return [];
  const free = [...heardOf].filter(([id, heard]) => !claimed.has(id) && !isStale(heard, now));
  const withoutOwn = keyServers.length - claimed.size;
  return free.length > withoutOwn ? free.map(([id]) => id).sort() : [];
}
