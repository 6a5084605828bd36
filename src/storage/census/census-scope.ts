import {
  type EncryptionConfig,
  type EncryptionRule,
  servesSocket,
} from "../encryption-config/encryption-config.ts";
import { pathsOf, type StoredObject } from "../etcd/storage-key.ts";
import { covers, isWildcard, namesResource, parseGroupResource } from "../served/group-resource.ts";

/** Which resources a census counts. The first pattern that is for a resource decides. */
export type CensusScope = readonly ScopeEntry[];

export interface ScopeEntry {
  /** As in an EncryptionConfiguration. */
  readonly pattern: string;
  readonly counted: boolean;
}

/** All that an EncryptionConfiguration stores or reads through a KMS v2 provider at one of these sockets. */
export function censusScope(config: EncryptionConfig, sockets: readonly string[]): CensusScope {
  const ours = (rule: EncryptionRule) =>
    rule.providers.some((provider) => sockets.some((socket) => servesSocket(provider, socket)));
  const counted = new Set(config.rules.filter(ours).flatMap(({ resources }) => resources));
  return config.rules.flatMap(({ resources }) =>
    resources.filter(namesResource).map((pattern) => ({ pattern, counted: counted.has(pattern) })),
  );
}

/** What these patterns are for; `["*.*"]` for all there is. */
export const scopeOf = (patterns: readonly string[]): CensusScope =>
  patterns.map((pattern) => ({ pattern, counted: true }));

/** Whether a census of this scope counts an object. What cannot be told is counted. */
export function inScope(scope: CensusScope, { resource }: StoredObject): boolean {
  const { group } = resource;
  const found =
    group === undefined
      ? scope.find((entry) => mayCover(entry, resource.resource))
      : scope.find(({ pattern }) => covers(pattern, { group, resource: resource.resource }));
  return found?.counted ?? false;
}

/** For a resource whose group is not in its key. */
function mayCover({ pattern, counted }: ScopeEntry, resource: string): boolean {
  const rule = parseGroupResource(pattern);
  if (rule.group === "*") return true;
  // The core group is known whole.
  return counted && rule.group !== "" && (rule.resource === "*" || rule.resource === resource);
}

/** Where the keys of a scope begin, none below another, without the API servers' prefix; `[""]` for everywhere. */
export function scopePaths(scope: CensusScope): readonly string[] {
  const patterns = scope.filter(({ counted }) => counted).map(({ pattern }) => pattern);
  if (patterns.some(isWildcard)) return [""];
  const paths = [...new Set(patterns.flatMap((pattern) => pathsOf(parseGroupResource(pattern))))].sort();
  // Of `services/` and `services/specs/` the one has what the other has.
  return paths.filter((path) => !paths.some((other) => other !== path && path.startsWith(other)));
}
