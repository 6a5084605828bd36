import { periodKey, type WaitingPeriod } from "../keyring/waiting-periods.ts";
import type { KeyVersion, MasterKey } from "../kube/resources.ts";
import { rfc3339 } from "./conditions.ts";
import { length, MAX_SKEW_MILLISECONDS, type TimeVerdict } from "./decide-time.ts";
import type { Obstacle } from "./usage-census.ts";
import { hasMaterial } from "./versions.ts";

const DAY = 86_400_000;
const SHORTEST = 7 * DAY;
/** The longest waiting period of a deletion. A status that states more was not written by claviger. */
const LONGEST = 30 * DAY;

/** What this node itself knows of time, and of what waits for its destruction. */
export interface Waiting {
  readonly time: TimeVerdict;
  /** By `periodKey`. */
  readonly periods: ReadonlyMap<string, WaitingPeriod>;
  /** How much time this node's operators have seen pass, in milliseconds. */
  readonly seen: number;
}

export interface ObservedPeriods extends Waiting {
  readonly masterKeys: readonly MasterKey[];
  readonly keyVersions: readonly KeyVersion[];
  /** The keyIds of which this node holds versions. Asked only if something is under way. */
  readonly held: () => ReadonlySet<string>;
}

/** The records to write and to remove. */
export interface PeriodChanges {
  readonly put: readonly WaitingPeriod[];
  readonly drop: readonly WaitingPeriod[];
}

/** What is under way by the resources, before this node's own record of it is consulted. */
interface Claim extends Pick<WaitingPeriod, "kind" | "subject" | "until" | "length" | "asked"> {
  /** When it is said to have begun. */
  readonly began: number;
}

/**
 * Decides what this node records of waiting periods. Whoever may write a status can state any
 * date: only what this node saw counts, from when it saw it first. A recorded end moves later or,
 * if the MasterKey exists and does not ask for its deletion any more, the record goes.
 */
export function decidePeriods(observed: ObservedPeriods, now: Date): PeriodChanges {
  const claims = new Map([...deletionClaims(observed), ...retentionClaims(observed)].map(keyed));
  const keys = new Set([...claims.keys(), ...observed.periods.keys()]);
  const isOver = overPeriods(observed, claims);
  const drop = [...observed.periods.values()].filter(isOver);
  const put = [...keys].flatMap((key) => {
    const before = observed.periods.get(key);
    if (before !== undefined && isOver(before)) return [];
    const after = periodAfter(before, claims.get(key), observed, now.getTime());
    return after === undefined || (before !== undefined && same(before, after)) ? [] : [after];
  });
  return { put, drop };
}

const keyed = (claim: Claim): [string, Claim] => [periodKey(claim), claim];

const same = (a: WaitingPeriod, b: WaitingPeriod): boolean =>
  a.since === b.since &&
  a.until === b.until &&
  a.length === b.length &&
  a.agreed === b.agreed &&
  a.asked === b.asked;

function periodAfter(
  before: WaitingPeriod | undefined,
  claim: Claim | undefined,
  observed: Waiting,
  now: number,
): WaitingPeriod | undefined {
  const period = before ?? (claim && begun(claim, observed, now));
  return (
    period && rebased(claim === undefined ? period : merged(period, claim, observed, now), observed, now)
  );
}

function begun(
  { kind, subject, began, length: asked_, asked }: Claim,
  observed: Waiting,
  now: number,
): WaitingPeriod {
  const since = snapped(now, began);
  const seenAt = Math.round(observed.seen);
  return { kind, subject, since, until: 0, length: asked_, seenAt, agreed: isConfirmed(observed), asked };
}

/** A stated end counts only as far as claviger could have stated it now, by a clock that may be believed. */
function merged(period: WaitingPeriod, claim: Claim, { time }: Waiting, now: number): WaitingPeriod {
  const latest = time.kind === "disagree" ? 0 : now + LONGEST + MAX_SKEW_MILLISECONDS;
  return {
    ...period,
    until: Math.max(period.until, Math.min(claim.until, latest)),
    length: Math.max(period.length, claim.length),
    asked: period.asked || claim.asked,
  };
}

/** Once another machine's clock agrees with ours, the beginning is told by it: by the time that was seen to pass. */
function rebased(period: WaitingPeriod, observed: Waiting, now: number): WaitingPeriod {
  if (period.agreed || !isConfirmed(observed)) return period;
  const since = snapped(now - Math.round(observed.seen - period.seenAt), period.until - period.length);
  return { ...period, since, agreed: true };
}

const isConfirmed = ({ time }: Waiting): boolean => time.kind === "agreed" && time.independent;

/** The stated beginning, if it was just before: every node then has the same one. */
const snapped = (since: number, stated: number): number =>
  since >= stated && since - stated <= MAX_SKEW_MILLISECONDS ? stated : since;

/** Of keys that this node has: anybody who may write KeyVersions can state the deletion of invented ones. */
function deletionClaims({ masterKeys, keyVersions, held }: ObservedPeriods): Claim[] {
  const living = keyVersions.filter(hasMaterial);
  const stated = new Set(living.flatMap(({ spec, status }) => (status?.deletion ? spec.keyId : [])));
  for (const { status } of masterKeys) if (status?.deletion && status.keyId) stated.add(status.keyId);
  if (stated.size === 0) return [];
  const own = held();
  const owners = Map.groupBy(masterKeys, ({ status }) => status?.keyId);
  const versions = Map.groupBy(living, ({ spec }) => spec.keyId);
  return [...stated].flatMap((keyId) => {
    const [askers, its] = [owners.get(keyId) ?? [], versions.get(keyId) ?? []];
    if (!own.has(keyId) || its.length === 0) return [];
    return askers.every(({ spec }) => spec.deletion !== undefined) ? [deletionClaim(keyId, its, askers)] : [];
  });
}

function deletionClaim(keyId: string, versions: readonly KeyVersion[], owners: readonly MasterKey[]): Claim {
  const stated = [...versions, ...owners].flatMap(({ status }) => status?.deletion ?? []);
  const untils = stated.map(({ deletionDate }) => Date.parse(deletionDate)).filter(Number.isFinite);
  const begins = stated.map(({ scheduledAt }) => Date.parse(scheduledAt)).filter(Number.isFinite);
  const windows = owners.map(({ spec }) => (spec.deletion?.pendingWindowInDays ?? 0) * DAY);
  const spans = stated.map((one) => Date.parse(one.deletionDate) - Date.parse(one.scheduledAt));
  const longest = Math.max(0, ...spans.filter((span) => span <= LONGEST), ...windows);
  return {
    kind: "deletion",
    subject: keyId,
    until: Math.max(0, ...untils),
    length: Math.max(SHORTEST, longest),
    began: Math.max(0, ...begins),
    asked: owners.some((owner) => versions.every((version) => isOwnedBy(version, owner))),
  };
}

const isOwnedBy = ({ spec }: KeyVersion, { metadata }: MasterKey): boolean =>
  spec.masterKey.namespace === metadata.namespace && spec.masterKey.name === metadata.name;

function retentionClaims({ masterKeys }: ObservedPeriods): Claim[] {
  return masterKeys.flatMap(({ spec, status }): Claim[] => {
    const { kmsKeyId, phase, verified, completedAt } = status?.reencryption ?? {};
    const isDone = phase === "Complete" && verified === true && kmsKeyId === status?.currentVersion?.kmsKeyId;
    if (spec.retention?.policy !== "Destroy" || !isDone || kmsKeyId === undefined) return [];
    const began = Date.parse(completedAt ?? "");
    if (Number.isNaN(began)) return [];
    return [{ kind: "retention", subject: kmsKeyId, until: 0, length: 0, began, asked: true }];
  });
}

/** Returns which records are of no use any more: what they wait for was cancelled, or has happened here. */
function overPeriods(
  { masterKeys, keyVersions, periods, held }: ObservedPeriods,
  claims: ReadonlyMap<string, Claim>,
): (period: WaitingPeriod) => boolean {
  const kept = new Set(
    masterKeys.flatMap(({ spec, status }) => (spec.deletion === undefined ? (status?.keyId ?? []) : [])),
  );
  const isAsked = [...periods.values()].some(({ kind }) => kind === "deletion");
  const living = new Set(isAsked ? held() : []);
  for (const version of keyVersions) if (hasMaterial(version)) living.add(version.spec.keyId);
  return (period) =>
    period.kind === "deletion"
      ? kept.has(period.subject) || !living.has(period.subject)
      : !claims.has(periodKey(period));
}

/** From when on, by this node's own record, something may be destroyed. */
export const endOf = ({ since, until, length: recorded }: WaitingPeriod, asked: number): number =>
  Math.max(until, since + Math.max(asked, recorded));

/** What a waiting period is asked about. */
export interface PeriodQuestion {
  readonly kind: WaitingPeriod["kind"];
  readonly subject: string;
  /** The shortest period that is allowed, in milliseconds; a longer one that was recorded counts. */
  readonly length: number;
  /** The time that an administrator has confirmed to be past, RFC 3339. */
  readonly confirmedDueAt?: string | undefined;
}

/**
 * Why something must wait on, by what this node itself has seen; undefined if its time has come.
 * If no other machine's clock confirms ours, the whole period must have been seen to pass.
 */
export function waitingObstacle(question: PeriodQuestion, waiting: Waiting, now: Date): Obstacle | undefined {
  const { time, periods, seen } = waiting;
  if (time.kind !== "agreed") return { reason: time.reason, message: time.message };
  const period = periods.get(periodKey(question));
  if (period === undefined || (time.independent && !period.agreed))
    return notOver("this node is only now beginning its own record of it");
  const asked = Math.max(question.length, period.length);
  const end = endOf(period, question.length);
  if (end > now.getTime()) return notOver(`by this node's own record it ends at ${rfc3339(new Date(end))}`);
  const missing = asked - (seen - period.seenAt);
  if (time.independent || missing <= 0 || isPast(question.confirmedDueAt, end, now)) return undefined;
  return {
    reason: "TimeNotSeen",
    message: `no other node confirms this node's clock, and its operator has yet to see ${atLeastHours(missing)} of the waiting period pass${remedy(question)}`,
  };
}

/** Not by the minute: a message in a status must not change all the time. */
const atLeastHours = (milliseconds: number): string =>
  milliseconds < 7_200_000 ? "less than 2 hours" : length(milliseconds);

const notOver = (why: string): Obstacle => ({
  reason: "WaitingPeriodNotOver",
  message: `the waiting period is not over: ${why}`,
});

const remedy = ({ kind }: PeriodQuestion): string =>
  kind === "deletion"
    ? ": let it run, or, if you know that the deletion date is past, set spec.deletion.confirmedDueAt to that date"
    : ": let it run";

/** A statement about a date that is yet to come by our clock, or that is before the end, confirms nothing. */
function isPast(confirmed: string | undefined, end: number, now: Date): boolean {
  const at = Date.parse(confirmed ?? "");
  // Dates in a status have whole seconds.
  return at >= Math.floor(end / 1000) * 1000 && at <= now.getTime();
}
