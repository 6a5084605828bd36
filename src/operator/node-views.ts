import type { Condition, KeyServer } from "../kube/resources.ts";
import { timeOf } from "../times.ts";
import { conditionOf, type Finding, withFindings } from "./conditions.ts";
import { ownAffair } from "./decide-key-server.ts";
import type { NodeView } from "./decide-master-key.ts";
import { describeNode, waitReason } from "./waiting-nodes.ts";

/** A node's operator renews its Lease every 10 s; this long without is "not heard of" (the kubelet's figures). */
export const NODE_LEASE_SECONDS = 40;

/** The nodes as the decisions see them, by name: a message that lists them must not change with their order. */
export function nodeViews(
  keyServers: readonly KeyServer[],
  heardOf: ReadonlyMap<string, number>,
  now: Date,
): NodeView[] {
  const byName = keyServers.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  return byName.map(({ metadata, status }) => {
    const heard = heardOf.get(metadata.name) ?? timeOf(metadata.creationTimestamp);
    const ready = conditionOf(status?.conditions, "Ready");
    return {
      name: metadata.name,
      lastHeard: new Date(heard),
      stale: isStale(heard, now),
      prepared: new Set(status?.prepared?.map((version) => version.versionId)),
      erased: new Set(status?.erased?.map((version) => version.versionId)),
      ...(status?.seal !== undefined && { rootKeyId: status.seal.rootKeyId }),
      ...problemOf(ready),
      ...(status?.providers === undefined && { unreported: true as const }),
    };
  });
}

function problemOf(ready: Condition | undefined): Pick<NodeView, "problem" | "problemReason"> {
  if (ready === undefined || ready.status === "True" || ownAffair.has(ready.reason)) return {};
  // What it said before the leader spoke for it is not known any more.
  const anew = "its operator has not reported anew since it was not heard of";
  return { problem: ready.status === "Unknown" ? anew : ready.message, problemReason: ready.reason };
}

/**
 * What the leader says of a silent node in its KeyServer, once: the node's last word would
 * pass for the present. The node itself takes it back with its next report. Where a
 * node reports and yet renews no Lease, the two contradict each other at the Lease's pace.
 */
export function decideSilence({ status }: KeyServer, node: NodeView, now: Date): Condition | undefined {
  const ready = conditionOf(status?.conditions, "Ready");
  if (!node.stale || ready?.status === "Unknown") return undefined;
  if (ready !== undefined && !isStale(timeOf(ready.lastTransitionTime), now)) return undefined;
  const message = `waiting for ${describeNode(node)}; the rest of this status is its last word`;
  const finding: Finding = { type: "Ready", status: "Unknown", reason: waitReason([node]), message };
  return conditionOf(withFindings(status?.conditions, [finding], undefined, now), "Ready");
}

/** Where our clock was set back, a node counts once it is heard of again: else one that is gone would count until then. */
function isStale(heard: number, now: Date): boolean {
  if (heard === Number.POSITIVE_INFINITY) return false;
  // A time that cannot be read is no news either.
  return !(Math.abs(now.getTime() - heard) <= NODE_LEASE_SECONDS * 1000);
}

/**
 * Whether a KeyServer outlived its node: it reported a Node object, there is none
 * of that name any more, and its operator is silent. A Node that was made again may
 * be the same machine, whose operator is only silent for now. Where there never was
 * a Node object (a test cluster, standalone) a KeyServer is only deleted by hand.
 */
export function outlivedItsNode(
  server: KeyServer,
  node: NodeView,
  currentNodeUid: string | undefined,
): boolean {
  return server.status?.nodeUid !== undefined && node.stale && currentNodeUid === undefined;
}
