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
 * The nodes as the decisions see them, by name: a message that lists them must not change with their
 * order. `heardOf` has every node that has a Lease. A node with a Lease and no KeyServer is a node
 * whose KeyServer was deleted: its API server may read and write under any version.
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

/** Every pass over every key asks for the same five hundred versions. */
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
export function isStale(heard: number, now: Date): boolean {
  if (heard === Number.POSITIVE_INFINITY) return false;
  // A time that cannot be read is no news either.
  return !(Math.abs(now.getTime() - heard) <= NODE_LEASE_SECONDS * 1000);
}

/** What there is of a node: its KeyServer, its Lease, or both. */
export interface NodeRecords {
  readonly server?: KeyServer | undefined;
  readonly lease?: NodeLease | undefined;
  /** Whether other nodes of this cluster have reported Node objects. */
  readonly othersHaveNodes: boolean;
}

/** Whether the records of a silent node may be deleted once there is no Node object of its name. */
export const mayOutliveItsNode = (records: NodeRecords, { stale }: NodeView): boolean =>
  stale && hadNode(records);

/**
 * Whether the node had a Node object. A Node that was made again may be the same machine, whose
 * operator is only silent for now. If there never was a Node object (a test cluster, a control
 * plane without kubelets), the records are only deleted by hand. A Lease without KeyServer that an
 * operator of an earlier release wrote does not say: it goes by what the other nodes have.
 */
function hadNode({ server, lease, othersHaveNodes }: NodeRecords): boolean {
  if (server?.status?.nodeUid !== undefined) return true;
  if (server?.status?.providers !== undefined || lease === undefined) return false;
  if (lease.nodeUid !== undefined) return lease.nodeUid !== "";
  return server === undefined && othersHaveNodes;
}
