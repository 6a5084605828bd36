import { isLater } from "../../keyring/rows.ts";
import { periodKey } from "../../keyring/tables/waiting-periods.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import { hasMaterial } from "../../resources/versions.ts";
import { DAY_MILLISECONDS, timeOf } from "../../times.ts";
import { length, MAX_SKEW_MILLISECONDS } from "../time/decide-time.ts";
import type { Obstacle } from "./usage-census.ts";
import { SHORTEST_MILLISECONDS, type Waiting, waitingObstacle } from "./waiting-period.ts";

export interface ObservedTombstones {
  readonly keyVersions: readonly KeyVersion[];
  readonly masterKeys: readonly MasterKey[];
  /** versionIds of material that this node holds. There is nothing to keep of other versions. */
  readonly held: ReadonlySet<string>;
  readonly waiting: Waiting;
}

/**
 * Decides which tombstones this node does not act on yet, by versionId, and why. Whoever created them had the
 * root key, but perhaps a wrong clock, and waiting loses nothing. A node without a record of the deletion,
 * because it was away all the time, believes the tombstone.
 */
export function decideEarlyErasure(observed: ObservedTombstones, now: Date): Map<string, Obstacle> {
  const early = new Map<string, Obstacle>();
  const owners = new Map(observed.masterKeys.toReversed().map((key) => [key.status?.keyId, key]));
  for (const version of observed.keyVersions) {
    if (hasMaterial(version) || !observed.held.has(version.spec.versionId)) continue;
    const obstacle =
      clockOf(version, observed, now) ??
      periodOf(version, owners.get(version.spec.keyId), observed.waiting, now);
    if (obstacle !== undefined) early.set(version.spec.versionId, kept(version, obstacle));
  }
  return early;
}

const kept = ({ metadata }: KeyVersion, { reason, message }: Obstacle): Obstacle => ({
  reason,
  message: `KeyVersion ${metadata.name} was destroyed and its material is kept on this node until it is sure that its time has come: ${message}`,
});

function clockOf({ spec }: KeyVersion, { waiting }: ObservedTombstones, now: Date): Obstacle | undefined {
  const { time } = waiting;
  if (time.kind === "disagree") return time;
  const ahead = timeOf(spec.destroyed?.at) - now.getTime();
  if (!(ahead > MAX_SKEW_MILLISECONDS)) return undefined;
  const message = `it says that it was destroyed ${length(ahead)} from now by this node's clock: set all clocks by NTP`;
  return { reason: "ClocksDisagree", message };
}

function periodOf(
  version: KeyVersion,
  owner: MasterKey | undefined,
  waiting: Waiting,
  now: Date,
): Obstacle | undefined {
  const question = deletionOf(version, owner, waiting) ?? retentionOf(version, owner, waiting);
  if (question === undefined) return undefined;
  const obstacle = waitingObstacle(question, waiting, now);
  if (obstacle === undefined || obstacle.reason !== "WaitingPeriodNotOver") return obstacle;
  return { reason: "DestructionNotDue", message: obstacle.message };
}

function deletionOf({ spec }: KeyVersion, owner: MasterKey | undefined, waiting: Waiting) {
  const question = { kind: "deletion", subject: spec.keyId } as const;
  if (!waiting.periods.has(periodKey(question))) return undefined;
  const { deletion } = owner?.spec ?? {};
  const asked = (deletion?.pendingWindowInDays ?? 0) * DAY_MILLISECONDS;
  return {
    ...question,
    length: Math.max(SHORTEST_MILLISECONDS, asked),
    confirmedDueAt: deletion?.confirmedDueAt,
  };
}

function retentionOf({ spec }: KeyVersion, masterKey: MasterKey | undefined, waiting: Waiting) {
  const current = masterKey?.status?.currentVersion;
  if (current === undefined || !isLater(current, spec)) return undefined;
  const question = { kind: "retention", subject: current.kmsKeyId } as const;
  if (!waiting.periods.has(periodKey(question))) return undefined;
  const asked = (masterKey?.spec.retention?.afterDays ?? 0) * DAY_MILLISECONDS;
  return { ...question, length: Math.max(SHORTEST_MILLISECONDS, asked) };
}
