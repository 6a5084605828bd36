/** The leader's knowledge of one node when it decides. */
export interface NodeView {
  readonly name: string;
  /** When the node's operator was last heard of. */
  readonly lastHeard: Date;
  /** True if that is longer ago than its Lease lasts. */
  readonly stale: boolean;
  /** versionIds that are stored, opened and tested there, but not current yet. */
  readonly prepared: ReadonlySet<string>;
  /** versionIds of destroyed versions that the node has erased. */
  readonly erased?: ReadonlySet<string>;
  /** The root key with which it seals and opens, once it has one. */
  readonly rootKeyId?: string;
  /** The problem that the node reports. */
  readonly problem?: string;
  /** The same, for programs. */
  readonly problemReason?: string;
  /** True if it has not reported yet what its providers serve. */
  readonly unreported?: true;
}
