import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { CensusScope } from "./census/census-scope.ts";
import {
  type EncryptionConfig,
  type EncryptionRule,
  kmsEntries,
  servesSocket,
} from "./encryption-config/encryption-config.ts";
import {
  covers,
  type GroupResource,
  isWildcard,
  namesResource,
  parseGroupResource,
} from "./served/group-resource.ts";

/**
 * The resources that are written under a provider: patterns of the EncryptionConfiguration in its order. A
 * "!" marks those that another provider writes. The first pattern that covers a resource decides, as in the
 * API server.
 */
export type Scope = readonly string[];

const OUT = "!";

/** The resources that an EncryptionConfiguration assigns to a socket. */
export interface SocketScope {
  /**
   * The number of kms entries that name the socket, first in their rule or not. Each has its own DEK seed.
   */
  readonly entries: number;
  readonly resources: Scope;
  /** The resources whose objects stored under the provider can be read, first in its entry or not. */
  readonly reads: Scope;
  /** Equal if the same resources are written under the same provider names; undefined if nothing is written. */
  readonly namesHash?: string;
}

/** Returns the scope of a socket. */
export function scopeOf(file: EncryptionConfig, socketPath: string): SocketScope {
  const config = withNames(file);
  const here = new Set(
    kmsEntries(config, socketPath)
      .filter(({ writes }) => writes)
      .map(({ name }) => name),
  );
  const writes = config.rules.flatMap((rule) =>
    rule.resources.map((pattern) => (writer(rule, here) ? pattern : OUT + pattern)),
  );
  const namesHash = namesHashOf(config, here);
  return {
    entries: kmsEntries(config, socketPath).length,
    resources: decisive(writes),
    reads: readsOf(config, socketPath),
    ...(namesHash !== undefined && { namesHash }),
  };
}

/**
 * Returns a hash of the provider names under which this socket's resources are written, or undefined if none
 * are. The API server writes the provider's name in front of each value and later finds the provider by that
 * name, so API servers with different names cannot read each other's values. It is a hash, because names can
 * be long and a KeyServer has many sockets.
 */
function namesHashOf(config: EncryptionConfig, here: ReadonlySet<string>): string | undefined {
  const names = new Map<string, string>();
  for (const { resources, providers } of config.rules.toReversed()) {
    const [first] = providers;
    for (const pattern of resources) {
      // An earlier rule of the same pattern decides which provider writes.
      if (first?.kind === "kms" && here.has(first.name)) names.set(pattern, first.name);
      else names.delete(pattern);
    }
  }
  if (names.size === 0) return undefined;
  const sorted = [...names].sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(sorted)).digest("hex").slice(0, 32);
}

/** The API server reads a resource by all rules that have the very same pattern. */
function readsOf(config: EncryptionConfig, socketPath: string): Scope {
  const patterns = config.rules.flatMap(({ resources }) => resources);
  const reading = config.rules
    .filter(({ providers }) => providers.some((provider) => servesSocket(provider, socketPath)))
    .flatMap(({ resources }) => resources);
  return decisive(patterns.map((pattern) => (reading.includes(pattern) ? pattern : OUT + pattern)));
}

/** Removes patterns that match no resource, such as the empty pattern, which API servers accept. */
const withNames = (config: EncryptionConfig): EncryptionConfig => ({
  ...config,
  rules: config.rules.map((rule) => ({ ...rule, resources: rule.resources.filter(namesResource) })),
});

/** Patterns after the last resource that is in the scope decide nothing. */
function decisive(patterns: readonly string[]): Scope {
  const last = patterns.findLastIndex((pattern) => !pattern.startsWith(OUT));
  return [...new Set(patterns.slice(0, last + 1))];
}

function writer({ providers: [first] }: EncryptionRule, names: ReadonlySet<string>): boolean {
  return first?.kind === "kms" && names.has(first.name);
}

/** Returns true if a resource is written under the provider. */
export function inScope(scope: Scope, resource: GroupResource): boolean {
  const decisive = scope.find((pattern) => covers(pattern.replace(OUT, ""), resource));
  return decisive !== undefined && !decisive.startsWith(OUT);
}

/** Returns the patterns of the resources that are written, for people. */
export const scopeText = (scope: Scope): string =>
  scope.filter((pattern) => !pattern.startsWith(OUT)).join(", ");

/**
 * Merges the scopes of several nodes: the common scope if they agree, as they should; otherwise every
 * resource that any of them writes. Each scope decides only the patterns that it lists, and narrower patterns
 * come first, so that an exception from a wildcard in one file does not remove a resource that another file
 * writes.
 */
export function mergeScopes(scopes: readonly Scope[]): Scope {
  // A node that has just joined, or writes nothing, does not change the order of the others.
  const [first = [], ...others] = scopes.filter((scope) => scope.length > 0);
  return others.every((scope) => isDeepStrictEqual(scope, first)) ? first : union(scopes);
}

/** Returns true if two scopes have the same resources, in whatever order. */
export const sameScope = (a: Scope, b: Scope): boolean =>
  isDeepStrictEqual(canonicalScope(a), canonicalScope(b));

/**
 * Returns one form for all scopes of the same resources, without the patterns that a wider pattern already
 * covers.
 */
export const canonicalScope = (scope: Scope): Scope =>
  union([scope]).filter((pattern, index, all) => {
    const resource = parseGroupResource(pattern.replace(OUT, ""));
    return inScope([pattern], resource) !== inScope(all.slice(index + 1), resource);
  });

function union(scopes: readonly Scope[]): Scope {
  const patterns = [...new Set(scopes.flat().map((pattern) => pattern.replace(OUT, "")))];
  const merged = patterns.sort(narrowerFirst).map((pattern) => {
    const resource = parseGroupResource(pattern);
    return scopes.some((scope) => inScope(scope, resource)) ? pattern : OUT + pattern;
  });
  return merged.slice(0, merged.findLastIndex((pattern) => !pattern.startsWith(OUT)) + 1);
}

/**
 * Orders `secrets`, then `*.apps`, then `*.*`. Patterns of the same width are ordered by name, so that the
 * order of nodes changes nothing.
 */
function narrowerFirst(a: string, b: string): number {
  return width(a) - width(b) || (a < b ? -1 : 1);
}

function width(pattern: string): number {
  if (!isWildcard(pattern)) return 0;
  return parseGroupResource(pattern).group === "*" ? 2 : 1;
}

/** Returns the same scope for a census. */
export const censusScopeOf = (scope: Scope): CensusScope =>
  scope.map((pattern) => ({ pattern: pattern.replace(OUT, ""), counted: !pattern.startsWith(OUT) }));
