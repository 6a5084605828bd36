import { conditionOf, type Finding } from "../../resources/conditions.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { ReencryptionStatus } from "../../resources/schemas/reencryption.ts";
import { mergeScopes, type Scope, sameScope } from "../../storage/scope.ts";
import { withdrawn } from "./census.ts";
import { flagMissing, nothingStored, unfinished, unknown } from "./findings.ts";
import { type Sockets, unreported } from "./ground.ts";
import { phases } from "./phases.ts";
import { proofHolds, unknownText, withoutFlag } from "./scope-obstacle.ts";
import type { Switch } from "./switches.ts";
import { anew, NO_TASK, type ObservedReencryption, type ReencryptionPlan } from "./work.ts";

/**
 * Decides how stored data follow the current version of a key. Once every API server by itself stores the
 * same resources under it (the fast proof of KEP-3299's contract), all objects are rewritten. Once no API
 * server can write under another key_id any more (the sure proof), a census counts the objects that are left.
 * If none is left, the phase is "Complete"; otherwise another round begins. Without a census, a round that
 * began after the sure proof and in which nothing failed is complete, unverified. Complete is only reported
 * while every socket is in the same state as when that was decided.
 */
export function decideReencryption(observed: ObservedReencryption, now: Date): ReencryptionPlan {
  const { masterKey, switches } = observed;
  const current = masterKey.status?.currentVersion;
  if (current === undefined) return nothing(undefined);
  const stated = masterKey.status?.reencryption;
  // A node that created its KeyServer again may be the node that serves this key.
  const stands = stated?.kmsKeyId === current.kmsKeyId && unreported(observed).length > 0;
  const reported = switches.map((one) => one.resources);
  const resources = mergeScopes(stands ? [stated.resources, ...reported] : reported);
  if (switches.length === 0 && !stands) return nothingServed(masterKey);
  const isUnknown = switches.every(({ entries }) => entries === undefined);
  if (isUnknown && observed.reachable && !stands) return scopeUnknown(masterKey, switches);
  if (!isUnknown && resources.length === 0) return nothingServed(masterKey, switches);
  if (!observed.reachable) return leftToOthers("standalone there is no API server to write to");
  if (masterKey.spec.reencryption?.engine === "None") return leftToOthers("spec.reencryption.engine is None");
  const before = standing(carriedOver(stated, current.kmsKeyId, resources, now), observed, now);
  if (!masterKey.spec.enabled && before.phase !== "Complete") return paused(before);
  return phases[before.phase](before, observed, now);
}

const nothing = (finding: Finding | undefined): ReencryptionPlan => ({
  task: NO_TASK,
  status: undefined,
  finding,
});

/** An earlier report about stored data is removed when nothing is stored under the key any more. */
function nothingServed({ status }: MasterKey, switches: readonly Switch[] = []): ReencryptionPlan {
  const said = conditionOf(status?.conditions, "Reencrypted") !== undefined;
  if (!said && status?.reencryption === undefined) return nothing(undefined);
  const nodes = withoutFlag(switches);
  return nothing(nodes.length > 0 ? flagMissing(nodes) : nothingStored());
}

/**
 * A new current version, or other resources: everything starts again. A round never has the same number as a
 * round for other resources.
 */
function carriedOver(
  before: ReencryptionStatus | undefined,
  kmsKeyId: string,
  resources: Scope,
  now: Date,
): ReencryptionStatus {
  const same = before?.kmsKeyId === kmsKeyId && sameScope(before.resources, resources);
  if (same) return before;
  const round = before?.kmsKeyId === kmsKeyId ? before.round : 0;
  return anew({ kmsKeyId, resources, round }, now);
}

/** Returns the status as far as it still holds: Complete is not an event, but a state that lasts or ends. */
function standing(before: ReencryptionStatus, sockets: Sockets, now: Date): ReencryptionStatus {
  if (before.phase !== "Complete" || proofHolds(before, sockets)) return before;
  const moved = sockets.switches.some(
    ({ kmsKeyId }) => kmsKeyId !== undefined && kmsKeyId !== before.kmsKeyId,
  );
  // The status is from a backup, or a node was away: objects written meanwhile may be under any key_id.
  return moved ? anew(before, now) : withdrawn(before);
}

/** A disabled key opens nothing, so nothing can be rewritten. */
const paused = (status: ReencryptionStatus): ReencryptionPlan => ({
  task: NO_TASK,
  status,
  finding: unfinished("KeyDisabled", "the key is disabled: stored data follows when it is enabled again"),
});

/** Nothing is written, and earlier proofs no longer hold. */
function scopeUnknown({ status }: MasterKey, switches: readonly Switch[]): ReencryptionPlan {
  const nodes = [...new Set(switches.map(({ node }) => node))].join(", ");
  const before = status?.reencryption;
  return {
    task: NO_TASK,
    status: before?.phase === "Complete" ? withdrawn(before) : before,
    finding: unknown(
      "EncryptionConfigUnknown",
      `${unknownText(nodes)}; no stored object is re-encrypted until then`,
    ),
  };
}

const leftToOthers = (why: string): ReencryptionPlan =>
  nothing(
    unknown(
      "NotManaged",
      `${why}: claviger does not re-encrypt stored objects; each object is encrypted under the current version when somebody writes it`,
    ),
  );
