import {
  type EncryptionConfig,
  type EncryptionRule,
  servesSocket,
} from "../encryption-config/encryption-config.ts";
import { pathsOf, type StoredObject } from "../etcd/storage-key.ts";
import { covers, isWildcard, namesResource, parseGroupResource } from "../served/group-resource.ts";

/** The resources that a census counts. The first pattern that matches a resource decides. */
export type CensusScope = readonly ScopeEntry[];

export interface ScopeEntry {
  /** A pattern as in an EncryptionConfiguration. */
  readonly pattern: string;
  readonly counted: boolean;
}

/**
 * Returns the scope of everything that an EncryptionConfiguration stores or reads through a KMS v2 provider
 * at one of these sockets.
 */
export function censusScope(config: EncryptionConfig, sockets: readonly string[]): CensusScope {
  const ours = (rule: EncryptionRule) =>
    rule.providers.some((provider) => sockets.some((socket) => servesSocket(provider, socket)));
  const counted = new Set(config.rules.filter(ours).flatMap(({ resources }) => resources));
  return config.rules.flatMap(({ resources }) =>
    resources.filter(namesResource).map((pattern) => ({ pattern, counted: counted.has(pattern) })),
  );
}

/** Returns the scope of these patterns; `["*.*"]` means every resource. */
export const scopeOf = (patterns: readonly string[]): CensusScope =>
  patterns.map((pattern) => ({ pattern, counted: true }));

/**
 * Returns true if a census of this scope counts the object. An object whose resource is unclear is counted.
 */
export function inScope(scope: CensusScope, { resource }: StoredObject): boolean {
  const { group } = resource;
  const found =
    group === undefined
      ? scope.find((entry) => mayCover(entry, resource.resource))
      : scope.find(({ pattern }) => covers(pattern, { group, resource: resource.resource }));
  return found?.counted ?? false;
}

/** For a resource whose group is not in its etcd key. */
function mayCover({ pattern, counted }: ScopeEntry, resource: string): boolean {
  const rule = parseGroupResource(pattern);
  if (rule.group === "*") return true;
  // All resources of the core group are known.
  return counted && rule.group !== "" && (rule.resource === "*" || rule.resource === resource);
}

/**
 * Returns the prefixes of a scope's keys, without the API servers' own prefix. No returned prefix contains
 * another. `[""]` means all keys.
 */
export function scopePaths(scope: CensusScope): readonly string[] {
  const patterns = scope.filter(({ counted }) => counted).map(({ pattern }) => pattern);
  if (patterns.some(isWildcard)) return [""];
  const paths = [...new Set(patterns.flatMap((pattern) => pathsOf(parseGroupResource(pattern))))].sort();
  // `services/` contains `services/specs/`, so the latter is left out.
  return paths.filter((path) => !paths.some((other) => other !== path && path.startsWith(other)));
}
