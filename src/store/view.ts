import type { KeyAlias, KeyGrant, KeyServer, KeyVersion, MasterKey } from "../resources/resources.ts";
import type { NodeLease } from "./nodes/node-leases.ts";

/** The custom resources at one moment, and the last renewals of Leases. */
export interface View {
  readonly masterKeys: readonly MasterKey[];
  readonly keyVersions: readonly KeyVersion[];
  readonly keyAliases: readonly KeyAlias[];
  readonly keyServers: readonly KeyServer[];
  /** Every KeyVersion up to this resourceVersion is in `keyVersions`. */
  readonly keyVersionsUpTo: string;
  /** When each node's operator last renewed its Lease, by this process's clock (epoch milliseconds). */
  readonly heardOf: ReadonlyMap<string, number>;
  /** The Leases of the nodes, by node; absent if there is no API server. */
  readonly nodeLeases?: ReadonlyMap<string, NodeLease>;
  /** When each API server of the cluster last renewed its own Lease, by its identity; absent if there is no API server. */
  readonly apiServers?: ReadonlyMap<string, number>;
}

/** An object that was created, changed or deleted. */
export type Change = MasterKey | KeyVersion | KeyAlias | KeyGrant | KeyServer;
