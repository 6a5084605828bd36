/** What the leader knows of one node when it decides. */
export interface NodeView {
  readonly name: string;
  /** When the node's operator was last heard of. */
  readonly lastHeard: Date;
  /** Whether that is longer ago than its Lease lasts. */
  readonly stale: boolean;
  /** versionIds stored, opened and tested there, not current yet. */
  readonly prepared: ReadonlySet<string>;
  /** versionIds of destroyed versions of which nothing is left there. */
  readonly erased?: ReadonlySet<string>;
  /** The root key that it seals and opens with, once it has one. */
  readonly rootKeyId?: string;
  /** What the node says is wrong with it. */
  readonly problem?: string;
  /** The same, for programs. */
  readonly problemReason?: string;
  /** Whether it has not said yet what its providers serve. */
  readonly unreported?: true;
}
