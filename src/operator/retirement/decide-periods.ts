import { periodKey, type WaitingPeriod } from "../../keyring/tables/waiting-periods.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import { PENDING_WINDOW } from "../../resources/schemas/deletion.ts";
import { hasMaterial } from "../../resources/versions.ts";
import { DAY_MILLISECONDS, timeOf } from "../../times.ts";
import { MAX_SKEW_MILLISECONDS } from "../time/decide-time.ts";
import type { Waiting } from "./waiting-period.ts";
import { SHORTEST_MILLISECONDS } from "./waiting-period.ts";

/** The longest waiting period of a deletion. claviger never wrote a status with a longer one. */
const LONGEST = PENDING_WINDOW.maximum * DAY_MILLISECONDS;

export interface ObservedPeriods extends Waiting {
  readonly masterKeys: readonly MasterKey[];
  readonly keyVersions: readonly KeyVersion[];
  /** Returns the keyIds of which this node holds versions. Only called if a period is in progress. */
  readonly held: () => ReadonlySet<string>;
}

/** The records to write and to remove. */
export interface PeriodChanges {
  readonly put: readonly WaitingPeriod[];
  readonly drop: readonly WaitingPeriod[];
}

/** A waiting period that the resources claim, before this node's own record is consulted. */
interface Claim extends Pick<WaitingPeriod, "kind" | "subject" | "until" | "length" | "asked"> {
  /** The claimed beginning. */
  readonly began: number;
}

/**
 * Decides which waiting periods this node records. Whoever may write a status can claim any date, so only the
 * time since this node first saw the period counts. A recorded end may only move later. The record is removed
 * if the MasterKey exists and no longer asks for its deletion.
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
  { kind, subject, began, length, asked }: Claim,
  observed: Waiting,
  now: number,
): WaitingPeriod {
  const since = snapped(now, began);
  const seenAt = Math.round(observed.seen);
  return { kind, subject, since, until: 0, length, seenAt, agreed: isConfirmed(observed), asked };
}

/**
 * A claimed end counts only up to the latest end that claviger could set now, by a clock that may be trusted.
 */
function merged(period: WaitingPeriod, claim: Claim, { time }: Waiting, now: number): WaitingPeriod {
  const latest = time.kind === "disagree" ? 0 : now + LONGEST + MAX_SKEW_MILLISECONDS;
  return {
    ...period,
    until: Math.max(period.until, Math.min(claim.until, latest)),
    length: Math.max(period.length, claim.length),
    asked: period.asked || claim.asked,
  };
}

/**
 * Once another machine's clock agrees with ours, the beginning is corrected by the time that was seen to
 * pass.
 */
function rebased(period: WaitingPeriod, observed: Waiting, now: number): WaitingPeriod {
  if (period.agreed || !isConfirmed(observed)) return period;
  const since = snapped(now - Math.round(observed.seen - period.seenAt), period.until - period.length);
  return { ...period, since, agreed: true };
}

const isConfirmed = ({ time }: Waiting): boolean => time.kind === "agreed" && time.independent;

/** Uses the claimed beginning if it is shortly before, so that every node has the same beginning. */
const snapped = (since: number, stated: number): number =>
  since >= stated && since - stated <= MAX_SKEW_MILLISECONDS ? stated : since;

/**
 * Only for keys that this node has: anybody who may write KeyVersions can claim the deletion of invented
 * keys.
 */
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
  const untils = stated.map(({ deletionDate }) => timeOf(deletionDate)).filter(Number.isFinite);
  const begins = stated.map(({ scheduledAt }) => timeOf(scheduledAt)).filter(Number.isFinite);
  const windows = owners.map(({ spec }) => (spec.deletion?.pendingWindowInDays ?? 0) * DAY_MILLISECONDS);
  const spans = stated.map((one) => timeOf(one.deletionDate) - timeOf(one.scheduledAt));
  const longest = Math.max(0, ...spans.filter((span) => span <= LONGEST), ...windows);
  return {
    kind: "deletion",
    subject: keyId,
    until: Math.max(0, ...untils),
    length: Math.max(SHORTEST_MILLISECONDS, longest),
    began: Math.max(0, ...begins),
    asked: owners.some((owner) => versions.every((version) => isOwnedBy(version, owner))),
  };
}

const isOwnedBy = ({ spec }: KeyVersion, { metadata }: MasterKey): boolean =>
  spec.masterKey.namespace === metadata.namespace && spec.masterKey.name === metadata.name;

function retentionClaims({ masterKeys }: ObservedPeriods): Claim[] {
  return masterKeys.flatMap(({ spec, status }): Claim[] => {
    const { kmsKeyId, phase, verified, completedAt, provenSince } = status?.reencryption ?? {};
    // The period continues while Complete is withdrawn for an API server's restart, if a census has found
    // nothing else.
    const isProven = provenSince !== undefined || (phase === "Complete" && verified === true);
    const isDone = isProven && kmsKeyId === status?.currentVersion?.kmsKeyId;
    if (spec.retention?.policy !== "Destroy" || !isDone || kmsKeyId === undefined) return [];
    const began = timeOf(provenSince ?? completedAt);
    if (Number.isNaN(began)) return [];
    return [{ kind: "retention", subject: kmsKeyId, until: 0, length: 0, began, asked: true }];
  });
}

/**
 * Returns the records that are no longer needed: their periods were cancelled, or what they waited for has
 * happened here.
 */
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
