/** How much of claviger one namespace may use. The leader goes by its own node's configuration. */
export interface Limits {
  /** MasterKeys that have or had a key, those that were deleted included: every node serves them on. */
  readonly masterKeysPerNamespace: number;
  /** KeyAliases that point or pointed somewhere, likewise. */
  readonly keyAliasesPerNamespace: number;
  /** KeyVersions, those whose MasterKey was deleted and those that were destroyed included. */
  readonly keyVersionsPerNamespace: number;
  /** Rotations that somebody asked for and imports of new material, in any hour. */
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
