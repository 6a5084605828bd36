import { NOW } from "../objects.ts";
import { type Etcd, freshEtcd, KEY_NAMES } from "./etcd.ts";
import { RESOURCES } from "./files.ts";
import { ModelLeader } from "./model-leader.ts";
import { ModelNode } from "./model-node.ts";
import { Promises } from "./promises.ts";

export interface ClusterOptions {
  /** The number of nodes. */
  readonly size: number;
  /** True if operators can count the objects in etcd, and how long a count takes. */
  readonly census: boolean;
  readonly countMilliseconds: number;
  /** True if API servers report the file that they use. */
  readonly tells: boolean;
}

/** The state of a model: etcd, the nodes, the leader, the true time, and what nobody can know yet. */
export class World {
  readonly nodes: readonly ModelNode[];
  /** versionIds of destroyed versions. The destruction was checked when it happened. */
  readonly destroyed = new Set<string>();
  etcd: Etcd;
  readonly promises: Promises;
  readonly leader: ModelLeader;
  /** The true time. */
  now = NOW.getTime();
  backup: Etcd;
  tokens = 0;
  /** The nodes whose reports are from before a restore, and the keys whose status is. */
  readonly outdated = new Set<string>();
  /** Objects that were stored through an excused node, with the node's name. */
  readonly excused = new Map<string, string>();
  /** True if an alias has moved since the leader last looked at the keys. */
  moved = false;
  frozenSince = 0;

  constructor({ size, tells, ...options }: ClusterOptions) {
    this.nodes = Array.from({ length: size }, (_, index) => new ModelNode(`node-${index}`, tells));
    this.promises = new Promises(this.nodes);
    for (const node of this.nodes) {
      node.heard = this.now;
      node.peers = this.nodes;
    }
    this.leader = new ModelLeader(this.nodes, this.promises, options);
    this.etcd = freshEtcd(this.nodes.map(({ name }) => name));
    this.backup = this.etcd;
  }

  node(index: number): ModelNode {
    const node = this.nodes[index % this.nodes.length];
    if (node === undefined) throw new Error("a cluster has at least one node");
    return node;
  }
}

export const objectName = ({ entry, object }: { readonly entry: number; readonly object: number }): string =>
  `${RESOURCES[entry % RESOURCES.length]} ${object}`;

export const keyName = (index: number): string => KEY_NAMES[index % KEY_NAMES.length] ?? KEY_NAMES[0];
