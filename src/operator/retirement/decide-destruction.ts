import { chain, firstFinding } from "../../chain.ts";
import { periodKey } from "../../keyring/tables/waiting-periods.ts";
import { nameText, type ObjectName } from "../../names.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import { byPosition, hasMaterial } from "../../resources/versions.ts";
import { DAY_MILLISECONDS, timeOf } from "../../times.ts";
import type { NodeView } from "../nodes/node-view.ts";
import { mayBeAskedAnew, notCounted, windowOf } from "./decide-deletion.ts";
import { nodeObstacle, unsettledObstacle } from "./node-obstacles.ts";
import { listUses, type Use } from "./usage.ts";
import type { Obstacle, UsageCount } from "./usage-census.ts";
import { SHORTEST_MILLISECONDS, type Waiting, waitingObstacle } from "./waiting-period.ts";

export interface ObservedDestruction {
  readonly name: ObjectName;
  readonly keyId: string;
  /** All versions of that keyId. */
  readonly versions: readonly KeyVersion[];
  /** The MasterKey of that name, if there is one. */
  readonly masterKey: MasterKey | undefined;
  readonly uses: readonly Use[];
  /** Providers whose API servers may still write under a key that the provider has left. */
  readonly unsettled: readonly string[];
  readonly nodes: readonly NodeView[];
  /** The state of the count of stored objects; `uses` has its findings. */
  readonly count: UsageCount;
  /** This node's own record of the waiting period. */
  readonly waiting: Waiting;
}

export type DestructionPlan =
  /** No version waits for its destruction, or its time has not come. */
  | { readonly kind: "none" }
  /** A version is due, but a guard objects. */
  | { readonly kind: "wait"; readonly reason: string; readonly message: string }
  /**
   * Earliest version first: if a crash or a cancellation stops the destruction, the current version still
   * exists.
   */
  | { readonly kind: "destroy"; readonly versions: readonly KeyVersion[]; readonly why: string };

/** Decides if the material of a key whose waiting period is over is destroyed now. */
export function decideDestruction(observed: ObservedDestruction, now: Date): DestructionPlan {
  const due = observed.versions.filter((version) => hasMaterial(version) && isDue(version, now));
  const [first] = due;
  if (first === undefined) return { kind: "none" };
  const obstacle = firstFinding(guards, observed, due, now);
  if (obstacle !== undefined) return { kind: "wait", ...obstacle };
  const why = `the deletion of MasterKey ${nameText(observed.name)} that was asked for on ${first.status?.deletion?.scheduledAt} came due`;
  return { kind: "destroy", versions: due.toSorted(byPosition), why };
}

const isDue = ({ status }: KeyVersion, now: Date): boolean =>
  status?.deletion !== undefined && timeOf(status.deletion.deletionDate) <= now.getTime();

type Asked = [observed: ObservedDestruction, due: readonly KeyVersion[], now: Date];

/**
 * All guards must pass, and the first that objects is reported. The count comes last, because it is
 * expensive.
 */
const guards = chain<Asked, Obstacle>({
  wanted,
  windowTooShort,
  asked,
  waited,
  used,
  // A silent node never settles, so its name says more than the names of its providers.
  nodesDisagree,
  settled,
  counted,
});

/** A MasterKey that was created again, or whose deletion was cancelled, needs its versions. */
function wanted(
  { masterKey, keyId, name }: ObservedDestruction,
  _: unknown,
  now: Date,
): Obstacle | undefined {
  const its = masterKey?.status?.keyId;
  if (masterKey === undefined || (its !== undefined && its !== keyId)) return undefined;
  const { deletion } = masterKey.status ?? {};
  const request = masterKey.spec.deletion;
  // A longer or another waiting period was requested, which the status does not reflect yet.
  const sameAsked =
    request !== undefined &&
    deletion !== undefined &&
    windowOf(deletion) >= request.pendingWindowInDays &&
    !mayBeAskedAnew(masterKey);
  if (sameAsked && timeOf(deletion.deletionDate) <= now.getTime()) return undefined;
  return {
    reason: "StillWanted",
    message: `nothing was destroyed: MasterKey ${nameText(name)} exists and does not ask for it`,
  };
}

/** The dates were not given by claviger. */
function windowTooShort(_: ObservedDestruction, due: readonly KeyVersion[]): Obstacle | undefined {
  const short = due.find(({ status }) => {
    const { scheduledAt = "", deletionDate = "" } = status?.deletion ?? {};
    return !(timeOf(deletionDate) - timeOf(scheduledAt) >= SHORTEST_MILLISECONDS);
  });
  if (short === undefined) return undefined;
  return {
    reason: "WindowTooShort",
    message: `nothing was destroyed: the waiting period in the status of KeyVersion ${short.metadata.name} is shorter than 7 days; somebody changed it`,
  };
}

/**
 * The dates in a status are a claim: anybody with the kubeconfig of a node may write them. The MasterKey's
 * spec, which no node may write, must ask for the deletion, or this node must have seen it ask.
 */
function asked({ masterKey, keyId, name, waiting }: ObservedDestruction): Obstacle | undefined {
  if (masterKey?.status?.keyId === keyId) return undefined;
  if (waiting.periods.get(periodKey({ kind: "deletion", subject: keyId }))?.asked === true) return undefined;
  return {
    reason: "DeletionNotAsked",
    message: `nothing was destroyed: the KeyVersions of keyId ${keyId} say that a deletion is in progress, but this node has not seen MasterKey ${nameText(name)} ask for it: create the MasterKey again, with spec.deletion if the key is to be destroyed`,
  };
}

/** The wait is over by this node's own record, and by a clock that others confirm. */
function waited(
  { masterKey, keyId, waiting }: ObservedDestruction,
  _: unknown,
  now: Date,
): Obstacle | undefined {
  const { pendingWindowInDays = 0, confirmedDueAt } =
    masterKey?.status?.keyId === keyId ? (masterKey.spec.deletion ?? {}) : {};
  const length = Math.max(SHORTEST_MILLISECONDS, pendingWindowInDays * DAY_MILLISECONDS);
  const obstacle = waitingObstacle(
    { kind: "deletion", subject: keyId, length, confirmedDueAt },
    waiting,
    now,
  );
  return obstacle && { ...obstacle, message: `nothing was destroyed: ${obstacle.message}` };
}

function used({ uses }: ObservedDestruction): Obstacle | undefined {
  if (uses.length === 0) return undefined;
  return { reason: "InUse", message: `nothing was destroyed: the key is used by ${listUses(uses)}` };
}

function settled({ unsettled }: ObservedDestruction): Obstacle | undefined {
  return unsettledObstacle(unsettled);
}

function nodesDisagree({ nodes }: ObservedDestruction): Obstacle | undefined {
  return nodeObstacle(nodes);
}

/**
 * Without a count, every object that asks for the deletion must vouch, at present and in its spec too. If the
 * MasterKey is gone, the status of its versions is all that is left of its request.
 */
function counted(
  { count, masterKey, keyId }: ObservedDestruction,
  due: readonly KeyVersion[],
): Obstacle | undefined {
  const asking: ({ readonly withoutCensus?: boolean } | undefined)[] = due.map(
    ({ status }) => status?.deletion,
  );
  if (masterKey?.status?.keyId === keyId) asking.push(masterKey.status.deletion, masterKey.spec.deletion);
  const withoutCensus = asking.every((deletion) => deletion?.withoutCensus === true);
  const obstacle = notCounted(count, { withoutCensus });
  return obstacle && { ...obstacle, message: `nothing was destroyed yet: ${obstacle.message}` };
}
