import type { KeyringChange } from "../../../keyring/changes.ts";
import type { AliasRow, KeyRow, TombstoneRow, VersionRow } from "../../../keyring/rows.ts";
import type { PolicyStamp } from "../../../keyring/tables/key-policies.ts";
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
  /** Key policies by NAMESPACE/NAME. */
  readonly policies?: ReadonlyMap<string, PolicyStamp>;
}

export interface KeyringPlan {
  /** A single transaction, with versions before the rows that refer to them. */
  readonly changes: readonly KeyringChange[];
  /** Versions that this node has and the API server has lost. */
  readonly handBack: readonly VersionRow[];
  /** KeyVersions whose seal differs from ours: the seal that opens is kept, and replaces the other. */
  readonly sealsDiffer: readonly SealDifference[];
  /** KeyVersions whose validTo or ownership proof differs from this node's: ours is restored. */
  readonly bindingsDiffer: readonly Match[];
  /** Versions of which neither this node nor the API server has an ownership proof. */
  readonly unproven: readonly Match[];
  /** Contradictions to this node's keyring, which keeps its own. A sentence each. */
  readonly contradictions: readonly string[];
}

/** The results of a node's checks of the resources before it decides. */
export interface CheckedResources {
  /**
   * Names of the KeyVersions that are not held yet and open under this node's root key. Others are not
   * stored: a forged version could not be removed again, because nodes hand back their versions.
   */
  readonly acceptable: ReadonlySet<string>;
  /** Names of the KeyVersions whose ownership proof was made under this root key. */
  readonly proven: ReadonlySet<string>;
  /** versionIds that this node's own providers serve. */
  readonly served: ReadonlySet<string>;
  /** The keys and aliases of providers that do not accept imported material (keyRefText). */
  readonly guarded?: ReadonlySet<string>;
}

/** A KeyVersion, and the row of the same version that this node has or stores. */
export interface Match {
  readonly mine: VersionRow;
  readonly theirs: VersionRow;
  readonly object: KeyVersion;
}

export interface SealDifference extends Match {
  /** True if another KeyVersion of this version has our seal: then their seal is not a re-seal to follow. */
  readonly oursIsThere: boolean;
}
