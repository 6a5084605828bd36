import type { KeyringChange } from "../../../keyring/changes.ts";
import type { AliasRow, KeyRow, TombstoneRow, VersionRow } from "../../../keyring/rows.ts";
import type { KeyAlias, KeyVersion, MasterKey } from "../../../resources/resources.ts";

export interface ObservedResources {
  readonly masterKeys: readonly MasterKey[];
  readonly keyVersions: readonly KeyVersion[];
  readonly keyAliases: readonly KeyAlias[];
}

export interface KeyringContents {
  readonly keys: readonly KeyRow[];
  readonly aliases: readonly AliasRow[];
  readonly versions: readonly VersionRow[];
  readonly tombstones?: readonly TombstoneRow[];
}

export interface KeyringPlan {
  /** One transaction, versions before what refers to them. */
  readonly changes: readonly KeyringChange[];
  /** Versions that this node has and the API server has lost. */
  readonly handBack: readonly VersionRow[];
  /** KeyVersions whose seal differs from ours: whichever opens is kept, and put where the other was. */
  readonly sealsDiffer: readonly SealDifference[];
  /** KeyVersions whose validTo or ownership proof is not the one that this node holds: ours is put back. */
  readonly bindingsDiffer: readonly Match[];
  /** Versions that neither this node nor the API server has an ownership proof of. */
  readonly unproven: readonly Match[];
  /** What contradicts that which this node holds; ours stays. A sentence each. */
  readonly contradictions: readonly string[];
}

/** What a node found out about the resources before it decides. */
export interface CheckedResources {
  /**
   * Names of the KeyVersions not held yet that open under this node's root key. Others are not
   * stored: a forged one could not be got rid of, as nodes hand back what they hold.
   */
  readonly acceptable: ReadonlySet<string>;
  /** Names of the KeyVersions whose ownership proof is this root key's. */
  readonly proven: ReadonlySet<string>;
  /** versionIds that this node's own providers serve. */
  readonly served: ReadonlySet<string>;
  /** What providers serve that do not take imported material (keyRefText). */
  readonly guarded?: ReadonlySet<string>;
}

/** A KeyVersion, and the row of the same version that this node has or takes. */
export interface Match {
  readonly mine: VersionRow;
  readonly theirs: VersionRow;
  readonly object: KeyVersion;
}

export interface SealDifference extends Match {
  /** Whether another KeyVersion of this version has our seal: then theirs is no re-seal to follow. */
  readonly oursIsThere: boolean;
}
