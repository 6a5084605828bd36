import type { NodeConfig } from "../../config/config.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { Lease, LeaseRef } from "../../kube/leases.ts";
import { leasesPath } from "../../kube/paths.ts";
import { Reflector } from "../../kube/reflector.ts";
import type { Log } from "../../log.ts";
import { parseTime } from "../../times.ts";
import { LeaseClocks, type NodeClocks } from "./lease-clocks.ts";
import { NodeHearing } from "./node-hearing.ts";
import { NODE_LABEL, type NodeLease, nodeLeaseFrom } from "./node-leases.ts";

/**
 * Follows the Leases of the nodes: which nodes exist, when each last renewed its Lease, and how far its clock
 * is ahead.
 */
export class NodeLeaseWatch {
  readonly #ownNode: string;
  readonly #reflector: Reflector<Lease>;
  readonly #hearing = new NodeHearing();
  readonly #clocks = new LeaseClocks();
  /** The Leases, by node. */
  readonly leases = new Map<string, NodeLease>();

  constructor(options: {
    readonly client: KubeClient;
    readonly config: NodeConfig;
    readonly log: Log;
    readonly onSynced: () => void;
  }) {
    this.#ownNode = options.config.nodeName;
    this.#reflector = new Reflector({
      client: options.client,
      path: leasesPath(options.config.leaseNamespace),
      query: { labelSelector: NODE_LABEL },
      log: options.log,
      onChange: (lease, event) => this.#hear(lease, event),
      onSynced: options.onSynced,
    });
  }

  get synced(): boolean {
    return this.#reflector.synced;
  }

  /** When each node's operator last renewed its Lease, in epoch milliseconds of this process's clock. */
  get heardOf(): ReadonlyMap<string, number> {
    return this.#hearing.heardOf;
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#reflector.run(signal);
  }

  expect(lease: LeaseRef, resourceVersion: string | undefined): void {
    this.#reflector.expect(lease, resourceVersion);
  }

  /** Returns the clocks of these nodes, at this time of our wall clock and uptime. */
  clocks(wall: number, uptime: number, nodes: ReadonlySet<string>): NodeClocks {
    return this.#clocks.at(wall, uptime, nodes);
  }

  #hear(lease: Lease, event: "set" | "deleted"): void {
    const record = nodeLeaseFrom(lease);
    if (record === undefined) return;
    const { node } = record;
    if (event === "set") this.leases.set(node, record);
    else this.leases.delete(node);
    if (node !== this.#ownNode) this.#compareClock(node, lease, event);
    if (event === "deleted") {
      this.#hearing.forget(node);
      return;
    }
    const arrival = { now: Date.now(), came: performance.now() };
    this.#hearing.hear(node, parseTime(lease.spec?.renewTime), arrival);
  }

  #compareClock(node: string, { spec }: Lease, event: "set" | "deleted"): void {
    if (event === "deleted") this.#clocks.forget(node);
    else this.#clocks.hear(node, spec?.renewTime, performance.now());
  }
}
