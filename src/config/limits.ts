/** The share of claviger that one namespace may use. The leader applies its own node's configuration. */
export interface Limits {
  /**
   * MasterKeys that have or had a keyId, deleted ones included, because every node continues to serve them.
   */
  readonly masterKeysPerNamespace: number;
  /** KeyAliases that point or pointed to a key, deleted ones included. */
  readonly keyAliasesPerNamespace: number;
  /** KeyVersions, including those whose MasterKey was deleted and those that were destroyed. */
  readonly keyVersionsPerNamespace: number;
  /** Requested rotations and imports of new material, in any hour. */
  readonly rotationsPerKeyPerHour: number;
  readonly rotationsPerNamespacePerHour: number;
}

/** A version takes about a kilobyte on each node's disk and in the memory of its plugin and operator. */
export const DEFAULT_LIMITS: Limits = {
  masterKeysPerNamespace: 1_000,
  keyAliasesPerNamespace: 1_000,
  keyVersionsPerNamespace: 10_000,
  rotationsPerKeyPerHour: 10,
  rotationsPerNamespacePerHour: 100,
};
