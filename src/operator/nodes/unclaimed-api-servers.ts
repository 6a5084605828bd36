import type { KeyServer } from "../../resources/resources.ts";
import { isStale } from "./node-views.ts";

/**
 * Returns the identities of living API servers for which no node reports: each stores and reads without
 * claviger. A node that reports no identity, or another node's (as through a load balancer), may run next to
 * any of them, so only the number beyond those nodes is certain.
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
