import { isUnanswered } from "../../kube/unanswered.ts";
import type { ClusterNodes, NodeRecordWrites } from "../../store/roles.ts";
import type { View } from "../../store/view.ts";
import type { NodeView } from "./node-view.ts";
import { decideSilence, mayOutliveItsNode, type NodeRecords, nodeViews } from "./node-views.ts";

/** How soon to look again: Leases run out without an event. */
const AGAIN_MILLISECONDS = 5_000;

export type NodeTenderStore = ClusterNodes & NodeRecordWrites;

/**
 * Maintains the records of silent nodes for the leader. Those of a node that is gone would block every
 * promotion for ever, and those of a silent node would say Ready.
 */
export class NodeTender {
  readonly #store: NodeTenderStore;

  constructor(store: NodeTenderStore) {
    this.#store = store;
  }

  /** Looks at every node once. Returns after how many milliseconds to look again. */
  async tend(view: View, signal: AbortSignal): Promise<number> {
    const now = new Date();
    const failures: unknown[] = [];
    for (const node of nodeViews(view.keyServers, view.heardOf, now).filter(({ stale }) => stale)) {
      try {
        await this.#tendNode(recordsOf(node, view), node, now, signal);
      } catch (error) {
        if (isUnanswered(error)) throw error;
        // A failure for one node does not stop the others.
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return AGAIN_MILLISECONDS;
  }

  async #tendNode(records: NodeRecords, node: NodeView, now: Date, signal: AbortSignal): Promise<void> {
    const { server, lease } = records;
    if (mayOutliveItsNode(records, node) && !(await this.#hasNode(node, signal))) {
      // The Lease is deleted first: if it was renewed meanwhile, the node is not gone, and its KeyServer
      // stays.
      if (lease !== undefined) await this.#store.deleteNodeLease?.(lease);
      if (server !== undefined) await this.#store.deleteKeyServer(server);
      return;
    }
    const silence = server && decideSilence(server, node, now);
    if (server !== undefined && silence !== undefined) await this.#store.setCondition(server, silence);
  }

  async #hasNode({ name }: NodeView, signal: AbortSignal): Promise<boolean> {
    return (await this.#store.nodeUid(name, signal)) !== undefined;
  }
}

const recordsOf = ({ name }: NodeView, { keyServers, nodeLeases }: View): NodeRecords => ({
  server: keyServers.find(({ metadata }) => metadata.name === name),
  lease: nodeLeases?.get(name),
  othersHaveNodes: keyServers.some(
    ({ metadata, status }) => metadata.name !== name && status?.nodeUid !== undefined,
  ),
});
