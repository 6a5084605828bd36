import { chain, firstFinding } from "../../chain.ts";
import { isLater } from "../../keyring/rows.ts";
import { periodKey } from "../../keyring/tables/waiting-periods.ts";
import { nameText } from "../../names.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import { hasMaterial, kmsKeyIdOf, listNumbers, versionsOf } from "../../resources/versions.ts";
import { DAY_MILLISECONDS, rfc3339, timeOf } from "../../times.ts";
import type { NodeView } from "../nodes/node-view.ts";
import { nodeObstacle } from "./node-obstacles.ts";
import type { Use } from "./usage.ts";
import { type Obstacle, type UsageCount, uncounted } from "./usage-census.ts";
import { type PeriodQuestion, type Waiting, waitingObstacle } from "./waiting-period.ts";

/** The proof that nothing stored is under the earlier versions of a key. */
export interface UsageProof {
  /** Providers whose API server may still use an earlier key_id, because the sure proof is missing. */
  readonly unsettled: readonly string[];
  /** The re-encryption of everything under the current version, if there was one. */
  readonly reencryption?: {
    readonly kmsKeyId: string;
    /** True if a census found no object under an earlier key_id. */
    readonly verified: boolean;
    /** RFC 3339; absent while it is not complete. */
    readonly completedAt?: string;
  };
}

export interface ObservedRetention {
  readonly masterKey: MasterKey;
  readonly versions: readonly KeyVersion[];
  readonly nodes: readonly NodeView[];
  readonly uses: readonly Use[];
  readonly proof: UsageProof;
  readonly count: UsageCount;
  /** This node's own record of the time since the re-encryption was verified. */
  readonly waiting: Waiting;
}

export type RetentionPlan =
  | { readonly kind: "none" }
  /** The time has not come. */
  | { readonly kind: "keep"; readonly until: string }
  | { readonly kind: "wait"; readonly reason: string; readonly message: string }
  | { readonly kind: "destroy"; readonly versions: readonly KeyVersion[]; readonly why: string };

/** Decides if versions that no longer encrypt are destroyed. */
export function decideRetention(observed: ObservedRetention, now: Date): RetentionPlan {
  const { masterKey } = observed;
  const { retention } = masterKey.spec;
  const retired = retiredVersions(observed);
  if (retention?.policy !== "Destroy" || retired.length === 0) return { kind: "none" };
  const objection = firstFinding(checks, observed, retired);
  if (objection !== undefined) return { kind: "wait", ...objection };
  const completedAt = observed.proof.reencryption?.completedAt ?? "";
  const length = retention.afterDays * DAY_MILLISECONDS;
  const until = retentionBegins(observed, completedAt) + length;
  if (!(until <= now.getTime())) return { kind: "keep", until: rfc3339(new Date(until)) };
  // Checked only when the time has come, because a count reads all of etcd.
  const obstacle = notSeen(observed, length, now) ?? notCounted(observed);
  if (obstacle !== undefined) return { kind: "wait", ...obstacle };
  const { namespace = "", name } = masterKey.metadata;
  const why = `its retention ended: everything under MasterKey ${nameText({ namespace, name })} was re-encrypted by ${completedAt}`;
  return { kind: "destroy", versions: retired, why };
}

/**
 * Not before the version was created, by the API server's date, and not before this node saw that the
 * re-encryption was complete: completedAt is a status, and the clock of whoever wrote it may have been
 * behind.
 */
function retentionBegins(observed: ObservedRetention, completedAt: string): number {
  const { masterKey, versions, waiting } = observed;
  const { versionId } = masterKey.status?.currentVersion ?? {};
  const made = versions.filter(({ spec }) => spec.versionId === versionId);
  const seen = waiting.periods.get(periodKey(questionOf(observed, 0)))?.since ?? 0;
  return Math.max(timeOf(completedAt), seen, ...made.map((one) => timeOf(one.metadata.creationTimestamp)));
}

const questionOf = ({ masterKey }: ObservedRetention, length: number): PeriodQuestion => ({
  kind: "retention",
  subject: masterKey.status?.currentVersion?.kmsKeyId ?? "",
  length,
});

function notSeen(observed: ObservedRetention, length: number, now: Date): Obstacle | undefined {
  const obstacle = waitingObstacle(questionOf(observed, length), observed.waiting, now);
  return obstacle && keep(obstacle.reason, obstacle.message);
}

/** Reported at once: whoever waits for the date must know that nothing will happen then. */
function clocksAgree({ waiting: { time } }: ObservedRetention): Obstacle | undefined {
  return time.kind === "disagree" ? keep(time.reason, time.message) : undefined;
}

/** Returns versions that were current and no longer are. */
function retiredVersions({ masterKey, versions }: ObservedRetention): KeyVersion[] {
  const current = masterKey.status?.currentVersion;
  if (current === undefined) return [];
  return versionsOf(masterKey.status?.keyId, versions).filter(
    (version) => hasMaterial(version) && isLater(current, version.spec),
  );
}

/** All checks must pass, and the first that fails is reported. */
const checks = chain<[observed: ObservedRetention, retired: readonly KeyVersion[]], Obstacle>({
  pendingDeletion,
  onlyKmsV2,
  // A silent node never settles, so its name says more than the names of its providers.
  nodesWell,
  settled,
  reencrypted,
  clocksAgree,
  nothingStored,
});

function pendingDeletion({ masterKey }: ObservedRetention): Obstacle | undefined {
  if (masterKey.status?.deletion === undefined && masterKey.spec.deletion === undefined) return undefined;
  return keep("PendingDeletion", "the whole key is to be deleted");
}

/** Nobody can count the ciphertexts of applications, only those that the API server stored. */
function onlyKmsV2({ masterKey, uses }: ObservedRetention): Obstacle | undefined {
  if (masterKey.spec.keyUsage !== "ENCRYPT_DECRYPT") {
    return keep(
      "NotForKmsV2",
      "what a key of another use than ENCRYPT_DECRYPT is needed for cannot be counted",
    );
  }
  if (uses.some(({ reason }) => reason === "ProviderUsesKey")) return undefined;
  return keep("NotForKmsV2", "no provider serves the key, so that what it encrypted cannot be counted");
}

function settled({ proof }: ObservedRetention): Obstacle | undefined {
  if (proof.unsettled.length === 0) return undefined;
  return keep(
    "NotSettled",
    `an API server may still use an earlier key_id through ${proof.unsettled.join(", ")}`,
  );
}

function reencrypted({ masterKey, proof }: ObservedRetention): Obstacle | undefined {
  const { reencryption } = proof;
  const current = masterKey.status?.currentVersion;
  const complete = reencryption?.completedAt !== undefined && !Number.isNaN(timeOf(reencryption.completedAt));
  if (complete && reencryption.verified && reencryption.kmsKeyId === current?.kmsKeyId) return undefined;
  return keep(
    "NotReencrypted",
    `no census has verified that everything is re-encrypted under version ${current?.number}`,
  );
}

function nothingStored({ count }: ObservedRetention, retired: readonly KeyVersion[]): Obstacle | undefined {
  if (count.kind !== "counted") return undefined;
  // Does not use the status, because a version that was just handed back has none.
  const found = retired.filter((version) => count.stored(kmsKeyIdOf(version)) > 0);
  if (found.length === 0) return undefined;
  return keep("ObjectsUnderKey", `objects are stored under version ${listNumbers(found)}`);
}

function notCounted({ count }: ObservedRetention): Obstacle | undefined {
  const obstacle = uncounted(count);
  return obstacle && keep(obstacle.reason, obstacle.message);
}

function nodesWell({ nodes }: ObservedRetention): Obstacle | undefined {
  return nodeObstacle(nodes);
}

const keep = (reason: string, why: string): Obstacle => ({
  reason,
  message: `no version was destroyed: ${why}`,
});
