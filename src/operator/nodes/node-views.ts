import { conditionOf, type Finding, withFindings } from "../../resources/conditions.ts";
import type { KeyServer } from "../../resources/resources.ts";
import type { Condition } from "../../resources/schemas/fields.ts";
import type { NodeLease } from "../../store/nodes/node-leases.ts";
import { NODE_LEASE_SECONDS } from "../../store/nodes/node-leases.ts";
import { timeOf } from "../../times.ts";
import { ownAffair } from "../node/report/key-server-findings.ts";
import type { NodeView } from "./node-view.ts";
import { describeNode, waitReason } from "./waiting-nodes.ts";

/**
 * Returns the nodes as the decisions see them, ordered by name: a message that lists them must not change
 * with their order. `heardOf` has every node that has a Lease. If a node has a Lease and no KeyServer, its
 * KeyServer was deleted, and its API server may read and write under any version.
 */
export function nodeViews(
  keyServers: readonly KeyServer[],
  heardOf: ReadonlyMap<string, number>,
  now: Date,
): NodeView[] {
  const byName = new Map(keyServers.map((server) => [server.metadata.name, server]));
  const names = [...new Set([...byName.keys(), ...heardOf.keys()])].sort();
  return names.map((name) => nodeView(name, byName.get(name), heardOf.get(name), now));
}

function nodeView(
  name: string,
  server: KeyServer | undefined,
  renewed: number | undefined,
  now: Date,
): NodeView {
  const { status } = server ?? {};
  const heard = renewed ?? timeOf(server?.metadata.creationTimestamp ?? "");
  return {
    name,
    lastHeard: new Date(heard),
    stale: isStale(heard, now),
    ...listedIn(server),
    ...(status?.seal !== undefined && { rootKeyId: status.seal.rootKeyId }),
    ...problemOf(conditionOf(status?.conditions, "Ready")),
    ...(status?.providers === undefined && { unreported: true as const }),
  };
}

const lists = new WeakMap<KeyServer, Pick<NodeView, "prepared" | "erased">>();

/** Every pass over every key needs the same five hundred versions, so they are cached. */
function listedIn(server: KeyServer | undefined): Pick<NodeView, "prepared" | "erased"> {
  const known = server && lists.get(server);
  if (known !== undefined) return known;
  const { prepared = [], erased = [] } = server?.status ?? {};
  const listed = {
    prepared: new Set<string>(prepared.map(({ versionId }) => versionId)),
    erased: new Set<string>(erased.map(({ versionId }) => versionId)),
  };
  if (server !== undefined) lists.set(server, listed);
  return listed;
}

function problemOf(ready: Condition | undefined): Pick<NodeView, "problem" | "problemReason"> {
  if (ready === undefined || ready.status === "True" || ownAffair.has(ready.reason)) return {};
  // Its report from before the leader spoke for it is no longer valid.
  const anew = "its operator has not reported again since it was silent";
  return { problem: ready.status === "Unknown" ? anew : ready.message, problemReason: ready.reason };
}

/**
 * Decides what the leader writes about a silent node into its KeyServer, once, because the node's last report
 * would pass for the present. The node itself takes it back with its next report. If a node reports but does
 * not renew its Lease, the two overwrite each other at the pace of the Lease.
 */
export function decideSilence({ status }: KeyServer, node: NodeView, now: Date): Condition | undefined {
  const ready = conditionOf(status?.conditions, "Ready");
  if (!node.stale || ready?.status === "Unknown") return undefined;
  if (ready !== undefined && !isStale(timeOf(ready.lastTransitionTime), now)) return undefined;
  const message = `waiting for ${describeNode(node)}; the rest of this status is its last word`;
  const finding: Finding = { type: "Ready", status: "Unknown", reason: waitReason([node]), message };
  return conditionOf(withFindings(status?.conditions, [finding], undefined, now), "Ready");
}

/**
 * If our clock was set back, a node counts again once it renews its Lease: otherwise a node that is gone
 * would count until our clock catches up.
 */
export function isStale(heard: number, now: Date): boolean {
  if (heard === Number.POSITIVE_INFINITY) return false;
  // A time that cannot be read is stale too.
  return !(Math.abs(now.getTime() - heard) <= NODE_LEASE_SECONDS * 1000);
}

/** The records of a node: its KeyServer, its Lease, or both. */
export interface NodeRecords {
  readonly server?: KeyServer | undefined;
  readonly lease?: NodeLease | undefined;
  /** True if other nodes of this cluster have reported Node objects. */
  readonly othersHaveNodes: boolean;
}

/** Returns true if the records of a silent node may be deleted once there is no Node object of its name. */
export const mayOutliveItsNode = (records: NodeRecords, { stale }: NodeView): boolean =>
  stale && hadNode(records);

/**
 * Returns true if the node had a Node object. A Node that was created again may be the same machine, whose
 * operator is only silent for now. If there never was a Node object (a test cluster, a control plane without
 * kubelets), the records are only deleted by hand. A Lease without KeyServer from an earlier release does not
 * say so; then the other nodes' reports decide.
 */
function hadNode({ server, lease, othersHaveNodes }: NodeRecords): boolean {
  if (server?.status?.nodeUid !== undefined) return true;
  if (server?.status?.providers !== undefined || lease === undefined) return false;
  if (lease.nodeUid !== undefined) return lease.nodeUid !== "";
  return server === undefined && othersHaveNodes;
}
