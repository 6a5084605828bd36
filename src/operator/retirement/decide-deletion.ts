import { isDeepStrictEqual } from "node:util";
import { periodKey } from "../../keyring/tables/waiting-periods.ts";
import type { Finding } from "../../resources/conditions.ts";
import { FINALIZER } from "../../resources/finalizer.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";
import { hasMaterial, versionsOf } from "../../resources/versions.ts";
import { DAY_MILLISECONDS, rfc3339, timeOf } from "../../times.ts";
import type { StatusPart } from "../master-key/assemble-status.ts";
import { clockObstacle } from "../time/decide-time.ts";
import { listUses, type Use } from "./usage.ts";
import { type Obstacle, type UsageCount, uncounted } from "./usage-census.ts";
import { endOf, type Waiting } from "./waiting-period.ts";

export interface ObservedDeletion {
  readonly masterKey: MasterKey;
  /** The versions that have the key's keyId or name the MasterKey. */
  readonly versions: readonly KeyVersion[];
  readonly uses: readonly Use[];
  /** The state of the count of stored objects; `uses` has its findings. */
  readonly count: UsageCount;
  /** This node's own record of the waiting period, and whether its clock may be trusted. */
  readonly waiting: Waiting;
  /** The reason why a due key is not destroyed. */
  readonly obstacle?: Obstacle | undefined;
}

/**
 * Returns true if all versions that the key ever had are destroyed. If its versions are lost, the last state
 * is kept.
 */
export function isDestroyed({ status }: MasterKey, versions: readonly KeyVersion[]): boolean {
  const own = versionsOf(status?.keyId, versions);
  return own.length === 0 ? status?.keyState === "Destroyed" : !own.some(hasMaterial);
}

/** A key that is pending deletion neither rotates nor is rewritten, just as a disabled key. */
export const resting = (masterKey: MasterKey): MasterKey =>
  masterKey.status?.deletion === undefined || masterKey.spec.deletion === undefined
    ? masterKey
    : { ...masterKey, spec: { ...masterKey.spec, enabled: false } };

/**
 * Decides the part of a MasterKey's status about its users and its deletion. An accepted deletion continues
 * if the key is used again later: plugins refuse the key, and its destruction is refused. Without
 * spec.deletion there is no deletion, and spec.enabled decides the state (AWS leaves a cancelled key
 * disabled; here the spec is the whole truth).
 */
export function deletionPart(observed: ObservedDeletion, now: Date): StatusPart {
  const { masterKey, versions } = observed;
  const destroyed = isDestroyed(masterKey, versions);
  const deletion = destroyed ? masterKey.status?.deletion : deletionOf(observed, now);
  const findings = [inUse(observed), blocked(observed, deletion), unready(observed, destroyed, deletion)];
  return {
    fields: { ...stateAfter(destroyed, deletion), deletion },
    findings: findings.filter((finding) => finding !== undefined),
    ends: ["DeletionBlocked"],
  };
}

function stateAfter(destroyed: boolean, deletion: Deletion): StatusPart["fields"] {
  if (destroyed) return { keyState: "Destroyed", currentVersion: undefined };
  return deletion === undefined ? {} : { keyState: "PendingDeletion" };
}

/** Returns the deletion that is in progress: accepted before, or accepted now. */
function deletionOf(
  { masterKey, uses, count, waiting }: ObservedDeletion,
  now: Date,
): MasterKeyStatus["deletion"] {
  const wanted = masterKey.spec.deletion;
  if (wanted === undefined) return undefined;
  const vouched = wanted.withoutCensus === true ? { withoutCensus: true } : {};
  const accepted = masterKey.status?.deletion;
  // If the accepted deletion was cancelled meanwhile, unseen, this deletion starts from the beginning.
  const same = accepted !== undefined && windowOf(accepted) === wanted.pendingWindowInDays;
  if (same && !mayBeAskedAnew(masterKey)) {
    return { ...datesOf(accepted, masterKey, waiting), ...vouched };
  }
  if (uses.length > 0 || notAccepted(count, wanted, waiting) !== undefined) return undefined;
  const deletionDate = new Date(now.getTime() + wanted.pendingWindowInDays * DAY_MILLISECONDS);
  return { scheduledAt: rfc3339(now), deletionDate: rfc3339(deletionDate), ...vouched };
}

/**
 * Returns the accepted dates, corrected if this node's own record has a later end, because a status can be
 * forged.
 */
function datesOf(
  { scheduledAt, deletionDate }: NonNullable<Deletion>,
  { spec, status }: MasterKey,
  { periods }: Waiting,
): Pick<NonNullable<Deletion>, "scheduledAt" | "deletionDate"> {
  const length = (spec.deletion?.pendingWindowInDays ?? 0) * DAY_MILLISECONDS;
  const period = periods.get(periodKey({ kind: "deletion", subject: status?.keyId ?? "" }));
  const end = period === undefined ? 0 : Math.floor(endOf(period, length) / 1000) * 1000;
  if (!(end > timeOf(deletionDate))) return { scheduledAt, deletionDate };
  return { scheduledAt: rfc3339(new Date(end - length)), deletionDate: rfc3339(new Date(end)) };
}

/**
 * Returns why a deletion is not accepted yet. With a clock that is behind, its date would be in the past once
 * the clock is right.
 */
const notAccepted = (
  count: UsageCount,
  wanted: Parameters<typeof notCounted>[1],
  { time }: Waiting,
): Obstacle | undefined => clockObstacle(time) ?? notCounted(count, wanted);

/**
 * Returns why a key may not be deleted without a count of the objects stored under it, or undefined if it
 * may. If counting is impossible, somebody has to vouch that nothing is stored under the key.
 */
export function notCounted(
  count: UsageCount,
  { withoutCensus }: { readonly withoutCensus?: boolean },
): Obstacle | undefined {
  const obstacle = uncounted(count);
  if (obstacle === undefined || count.kind !== "impossible") return obstacle;
  if (withoutCensus === true) return count.askedAnew ? uncounted({ kind: "pending" }) : undefined;
  const message = `${obstacle.message}: give it etcd, or, if you know that nothing is, set spec.deletion.withoutCensus to true`;
  return { ...obstacle, message };
}

/**
 * Two edits that no leader saw may have removed spec.deletion and added it again, and a new deletion has its
 * whole waiting period. Other edits only prolong it.
 */
export const mayBeAskedAnew = ({ metadata: { generation = 0 }, status }: MasterKey): boolean =>
  generation - (status?.observedGeneration ?? generation) > 1;

/** Returns the length in days. */
export const windowOf = ({ scheduledAt, deletionDate }: NonNullable<MasterKeyStatus["deletion"]>): number =>
  (timeOf(deletionDate) - timeOf(scheduledAt)) / DAY_MILLISECONDS;

function inUse({ uses }: ObservedDeletion): Finding {
  if (uses.length === 0) {
    const message = "no provider, alias or known stored object needs the key";
    return { type: "InUse", status: "False", reason: "NotInUse", message };
  }
  const message = `the key is used by ${listUses(uses)}`;
  return { type: "InUse", status: "True", reason: uses[0]?.reason ?? "ProviderUsesKey", message };
}

type Deletion = MasterKeyStatus["deletion"];

function blocked(observed: ObservedDeletion, deletion: Deletion): Finding | undefined {
  const { masterKey, uses, obstacle } = observed;
  const type = "DeletionBlocked";
  if (masterKey.metadata.deletionTimestamp !== undefined && uses.length > 0) {
    return { type, status: "True", reason: "HeldInUse", message: heldBy(observed) };
  }
  if (masterKey.spec.deletion === undefined) return undefined;
  if (deletion === undefined && uses.length === 0) {
    const why = notAccepted(observed.count, masterKey.spec.deletion, observed.waiting) ?? {
      reason: "NotCounted",
      message: "",
    };
    return { type, status: "True", ...why, message: `nothing was changed yet: ${why.message}` };
  }
  if (deletion === undefined) {
    const message = `nothing was changed: the key is used by ${listUses(uses)}; end that, or take spec.deletion out`;
    return { type, status: "True", reason: "InUse", message };
  }
  if (obstacle !== undefined) return { type, status: "True", ...obstacle };
  const message = `the deletion was accepted on ${deletion.scheduledAt}`;
  return { type, status: "False", reason: "Scheduled", message };
}

function heldBy({ masterKey, uses }: ObservedDeletion): string {
  const { namespace, name } = masterKey.metadata;
  const patch = `kubectl patch mk -n ${namespace} ${name} --type=merge -p '{"metadata":{"finalizers":null}}'`;
  return (
    `the object is to be deleted and is held while the key is used by ${listUses(uses)}: end that,` +
    ` or let the object go, which destroys nothing and is undone by making it again: ${patch}`
  );
}

function unready(
  { versions, masterKey }: ObservedDeletion,
  destroyed: boolean,
  deletion: Deletion,
): Finding | undefined {
  if (destroyed) {
    const own = versionsOf(masterKey.status?.keyId, versions);
    const at = own
      .map(({ spec }) => spec.destroyed?.at ?? "")
      .sort()
      .at(-1);
    const when = at === undefined ? "" : `, the last of it on ${at}`;
    const message = `the key's material was destroyed${when}: delete this object; if you create it again under the same name, it is another key`;
    return { type: "Ready", status: "False", reason: "Destroyed", message };
  }
  if (deletion === undefined) return undefined;
  const message = `nothing encrypts or decrypts under this key, and its material is destroyed after ${deletion.deletionDate}: take spec.deletion out to keep it`;
  return { type: "Ready", status: "False", reason: "PendingDeletion", message };
}

/**
 * Returns the finalizers that a MasterKey must have, or undefined if they are right. A key with material is
 * held. A key that is being deleted is released once nobody uses it and its versions record the deletion.
 */
export function decideFinalizers(
  masterKey: MasterKey,
  versions: readonly KeyVersion[],
  uses: readonly Use[],
): readonly string[] | undefined {
  const { deletionTimestamp, finalizers = [] } = masterKey.metadata;
  const own = versionsOf(masterKey.status?.keyId, versions).filter(hasMaterial);
  const holds = finalizers.includes(FINALIZER);
  if (deletionTimestamp === undefined) {
    return own.length > 0 && !holds ? [...finalizers, FINALIZER] : undefined;
  }
  if (!holds || uses.length > 0 || !own.every((version) => knows(version, masterKey))) return undefined;
  return finalizers.filter((finalizer) => finalizer !== FINALIZER);
}

const knows = (version: KeyVersion, masterKey: MasterKey): boolean =>
  isDeepStrictEqual(version.status?.deletion, masterKey.status?.deletion);
