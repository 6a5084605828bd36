import type { Limits } from "../../config/limits.ts";
import { HOUR_MILLISECONDS, rfc3339 } from "../../times.ts";

/** The resources that a namespace uses. */
export interface NamespaceUsage {
  /** Names of MasterKeys that have or had a keyId. */
  readonly masterKeys: ReadonlySet<string>;
  /** Names of KeyAliases that point or pointed to a key. */
  readonly keyAliases: ReadonlySet<string>;
  readonly keyVersions: number;
  /** Versions that were created on request, within the last hour or so. */
  readonly asked: readonly AskedVersion[];
}

export interface AskedVersion {
  /** The MasterKey's name. */
  readonly masterKey: string;
  readonly madeAt: Date;
}

/** The reason why there is no room for something, for programs and for people. */
export interface Lack {
  readonly reason: "QuotaExceeded" | "RateLimited";
  readonly message: string;
  /** When there will be room again, if time alone makes room. */
  readonly until?: Date;
}

/** The lacks of room that concern a MasterKey; empty if there is room for everything. */
export interface Room {
  /** Another MasterKey with its own keyId. */
  readonly newKey?: Lack;
  /** The first version of a key. */
  readonly firstVersion?: Lack;
  /** A version on request. */
  readonly askedVersion?: Lack;
  /** The version of a scheduled rotation. */
  readonly dueVersion?: Lack;
}

/** Automatic rotations continue until the namespace has this many times its quota. */
const RESERVE = 2;

/** Returns the lacks of room that concern one MasterKey of the namespace; `hasKey` if that has a keyId. */
export function roomFor(
  {
    namespace,
    name,
    hasKey,
  }: { readonly namespace: string; readonly name: string; readonly hasKey: boolean },
  usage: NamespaceUsage,
  limits: Limits,
  now: Date,
): Room {
  // Names are counted only if they matter, because most passes do not need them.
  const newKey = hasKey ? undefined : newKeyLack(namespace, name, usage.masterKeys, limits);
  const firstVersion = versionQuota(namespace, usage, limits, 1);
  const askedVersion = firstVersion ?? rateOf(namespace, name, usage, limits, now);
  const dueVersion = versionQuota(namespace, usage, limits, RESERVE);
  return {
    ...(newKey !== undefined && { newKey }),
    ...(firstVersion !== undefined && { firstVersion }),
    ...(askedVersion !== undefined && { askedVersion }),
    ...(dueVersion !== undefined && { dueVersion }),
  };
}

/** Returns why the namespace has no room for its KeyAlias `name`, if it has none. */
export function aliasLack(
  { namespace, name }: { readonly namespace: string; readonly name: string },
  usage: Pick<NamespaceUsage, "keyAliases">,
  limits: Limits,
): Lack | undefined {
  const { keyAliases } = usage;
  if (keyAliases.has(name)) return undefined;
  return quota(namespace, "keyAliases", keyAliases.size, limits.keyAliasesPerNamespace);
}

function newKeyLack(
  namespace: string,
  name: string,
  masterKeys: ReadonlySet<string>,
  { masterKeysPerNamespace }: Limits,
): Lack | undefined {
  if (masterKeys.has(name)) return undefined;
  return quota(namespace, "masterKeys", masterKeys.size, masterKeysPerNamespace);
}

function versionQuota(
  namespace: string,
  { keyVersions }: NamespaceUsage,
  { keyVersionsPerNamespace }: Limits,
  times: number,
): Lack | undefined {
  return quota(namespace, "keyVersions", keyVersions, keyVersionsPerNamespace * times);
}

function quota(
  namespace: string,
  field: "masterKeys" | "keyAliases" | "keyVersions",
  count: number,
  limit: number,
): Lack | undefined {
  if (count < limit) return undefined;
  const what = `${field.charAt(0).toUpperCase()}${field.slice(1)}`;
  const message = `namespace ${namespace} has ${count} ${what} and may have ${limit}, deleted ones included as the nodes keep them: raise limits.${field}PerNamespace in the configuration of every node, or use another namespace`;
  return { reason: "QuotaExceeded", message };
}

function rateOf(
  namespace: string,
  name: string,
  { asked }: NamespaceUsage,
  limits: Limits,
  now: Date,
): Lack | undefined {
  // Uses the difference in either direction: a clock that is wrong by days must not stop rotations for days.
  const recent = asked.filter(({ madeAt }) => Math.abs(now.getTime() - madeAt.getTime()) < HOUR_MILLISECONDS);
  const own = recent.filter(({ masterKey }) => masterKey === name);
  return (
    rate(`MasterKey ${namespace}/${name}`, "rotationsPerKeyPerHour", own, limits) ??
    rate(`namespace ${namespace}`, "rotationsPerNamespacePerHour", recent, limits)
  );
}

function rate(
  whose: string,
  field: "rotationsPerKeyPerHour" | "rotationsPerNamespacePerHour",
  recent: readonly AskedVersion[],
  limits: Limits,
): Lack | undefined {
  const limit = limits[field];
  const times = recent.map(({ madeAt }) => madeAt.getTime()).sort((a, b) => b - a);
  const oldest = times[limit - 1];
  if (oldest === undefined) return undefined;
  const until = new Date(oldest + HOUR_MILLISECONDS);
  const message = `${whose} got ${times.length} versions within an hour that were asked for and may get ${limit} (limits.${field}): it goes on by itself at ${rfc3339(until)}`;
  return { reason: "RateLimited", message, until };
}
