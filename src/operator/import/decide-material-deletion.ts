import { createHash } from "node:crypto";
import type { Finding } from "../../resources/conditions.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import { versionsOf } from "../../resources/versions.ts";
import type { NodeView } from "../nodes/node-view.ts";
import { nodeObstacle, unsettledObstacle } from "../retirement/node-obstacles.ts";
import { listUses, type Use } from "../retirement/usage.ts";
import { type Obstacle, type UsageCount, uncounted } from "../retirement/usage-census.ts";
import { hasExpired, isDeleted } from "./material-expiry.ts";

/** A request in spec.import to delete material. */
export interface MaterialDeletion {
  /** Identifies this request. */
  readonly digest: string;
  readonly materialId: string;
  /** True if somebody vouches that nothing stored needs the material. */
  readonly withoutCensus: boolean;
}

/** The users of a key, as far as they are known. */
export interface KeyUsers {
  readonly uses: readonly Use[];
  /** Providers whose API servers may still write under a key that the provider has left. */
  readonly unsettled: readonly string[];
  readonly nodes: readonly NodeView[];
  /** The state of the count of stored objects; `uses` has its findings. */
  readonly count: UsageCount;
}

/** The next step of a deletion. */
export type DeletionStep =
  /**
   * The material may be used no longer than until `validTo`, which is past by every clock; absent if it has expired,
   * or was deleted before.
   */
  | { readonly kind: "delete"; readonly version: KeyVersion; readonly validTo?: string }
  | { readonly kind: "refuse"; readonly finding: Finding }
  | { readonly kind: "wait"; readonly finding: Finding };

/** Returns a deletion that was neither made nor refused yet. */
export function newDeletion({ spec, status }: MasterKey): MaterialDeletion | undefined {
  const { requestToken, deleteMaterialId: materialId, withoutCensus = false } = spec.import ?? {};
  if (materialId === undefined || spec.origin !== "EXTERNAL") return undefined;
  const digest = createHash("sha256")
    .update(JSON.stringify(["delete", requestToken, materialId, withoutCensus]))
    .digest("hex");
  return digest === status?.import?.processed?.digest ? undefined : { digest, materialId, withoutCensus };
}

/**
 * Decides about a deletion of material, which is an expiry in the past: the sealed material stays, and the same
 * material can be imported again. An API server would stop with its key, so a key that it uses is refused.
 */
export function decideMaterialDeletion(
  masterKey: MasterKey,
  versions: readonly KeyVersion[],
  { materialId, withoutCensus }: MaterialDeletion,
  users: KeyUsers,
  now: Date,
): DeletionStep {
  const own = versionsOf(masterKey.status?.keyId, versions);
  const version = own.find(({ spec }) => spec.origin === "EXTERNAL" && spec.materialId === materialId);
  if (version === undefined) return refuse("MaterialNotFound", notFound(masterKey));
  if (isDeleted(version) || hasExpired(version, now)) return { kind: "delete", version };
  // An alias by itself is no user: it is one if a provider serves it, and that provider is among the uses.
  const uses = users.uses.filter(({ reason }) => reason !== "AliasPointsToKey");
  if (uses.length > 0) return refuse("InUse", inUse(uses));
  const doubt = mayBeUsedUnseen(version, users);
  if (doubt !== undefined) return { kind: "wait", finding: finding(doubt.reason, doubt.message) };
  return byCount(version, users, withoutCensus);
}

/**
 * Returns why an API server may still write under the key although no provider names it. API servers use keys
 * of SYMMETRIC_DEFAULT only.
 */
function mayBeUsedUnseen({ spec }: KeyVersion, { nodes, unsettled }: KeyUsers): Obstacle | undefined {
  if (spec.keySpec !== "SYMMETRIC_DEFAULT") return undefined;
  const undone = "the material is not deleted yet";
  return nodeObstacle(nodes, undone) ?? unsettledObstacle(unsettled, undone);
}

/** The count comes last, because it must be younger than the other facts. */
function byCount(version: KeyVersion, { count }: KeyUsers, withoutCensus: boolean): DeletionStep {
  const obstacle = uncounted(count);
  if (obstacle === undefined) return deletion(version);
  if (count.kind !== "impossible")
    return { kind: "wait", finding: finding(obstacle.reason, obstacle.message) };
  if (!withoutCensus) return refuse(obstacle.reason, `${obstacle.message}: ${VOUCH}`);
  return count.askedAnew === true
    ? { kind: "wait", finding: finding("Counting", "what is stored under the key is being counted in etcd") }
    : deletion(version);
}

const deletion = (version: KeyVersion): DeletionStep => ({
  kind: "delete",
  version,
  validTo: version.metadata.creationTimestamp,
});

const VOUCH =
  "give it etcd, or, if you know that nothing is, set spec.import.withoutCensus to true beside deleteMaterialId";

const notFound = ({ metadata }: MasterKey): string =>
  `spec.import.deleteMaterialId is the id of no material of this key: kubectl get kv has the ids of the versions of ${metadata.namespace}/${metadata.name} in spec.materialId`;

const inUse = (users: readonly Use[]): string =>
  `the material is not deleted, because the API server would stop with it: the key is used by ${listUses(users)}; point the provider to another key and rewrite the stored objects first`;

const refuse = (reason: string, message: string): DeletionStep => ({
  kind: "refuse",
  finding: finding(reason, message),
});

const finding = (reason: string, message: string): Finding => ({
  type: "Imported",
  status: "False",
  reason,
  message,
});
