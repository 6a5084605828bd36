import { nameText, servedAlias } from "../../names.ts";
import { objectName, objectText } from "../../resources/object-text.ts";
import type { KeyAlias, KeyVersion, MasterKey } from "../../resources/resources.ts";
import { newDeletion } from "../import/decide-material-deletion.ts";
import type { StatusPart } from "../master-key/assemble-status.ts";
import { deletionPart } from "./decide-deletion.ts";
import { type DestructionPlan, decideDestruction } from "./decide-destruction.ts";
import { erasureFinding } from "./decide-erased.ts";
import { decideRetention, type RetentionPlan } from "./decide-retention.ts";
import {
  foundObjects,
  masterKeyUses,
  ofKey,
  type RetirementFacts,
  remembered,
  unknownUses,
  usesOfName,
} from "./key-uses.ts";
import { retentionFinding } from "./retention-finding.ts";
import type { KeyOwner, RetiringKey } from "./retiring-keys.ts";
import type { Use } from "./usage.ts";
import type { Obstacle } from "./usage-census.ts";
import { proofOf, unsettledProviders } from "./usage-proof.ts";
import type { Waiting } from "./waiting-period.ts";

export type RetirementPlan = DestructionPlan | RetentionPlan;

/** Decides the parts of a MasterKey's status about its use, its deletion and its destroyed versions. */
export function retirementParts(
  masterKey: MasterKey,
  versions: readonly KeyVersion[],
  facts: RetirementFacts,
  now: Date,
): StatusPart[] {
  const uses = [...masterKeyUses(masterKey, versions, facts), ...unknownUses(masterKey, facts)];
  const { nodes, count, waiting } = facts;
  const obstacle = deletionObstacle(masterKey, versions, uses, facts, now);
  const retention = retentionOf(masterKey, versions, uses, facts, now);
  const findings = [erasureFinding(masterKey, versions, nodes), retentionFinding(retention)];
  return [
    deletionPart({ masterKey, versions, uses, count, waiting, obstacle }, now),
    {
      fields: {},
      findings: findings.filter((finding) => finding !== undefined),
      ends: ["Destroyed", "Retention"],
    },
  ];
}

/** Why the key's material is not destroyed although it is due, or a deletion date does not come. */
function deletionObstacle(
  masterKey: MasterKey,
  versions: readonly KeyVersion[],
  uses: readonly Use[],
  facts: RetirementFacts,
  now: Date,
): Obstacle | undefined {
  const { keyId } = masterKey.status ?? {};
  const plan =
    keyId === undefined
      ? undefined
      : destructionFor(
          { name: objectName(masterKey), masterKey },
          { keyId, versions: ofKey(keyId, versions) },
          uses,
          facts,
          now,
        );
  const obstacle = plan?.kind === "wait" ? plan : clocksHoldUp(masterKey, facts.waiting);
  return obstacle && { reason: obstacle.reason, message: obstacle.message };
}

/** Whoever waits for a deletion date must know at once that nothing happens then while clocks disagree. */
const clocksHoldUp = ({ status }: MasterKey, { time }: Waiting) =>
  time.kind === "disagree" && status?.deletion !== undefined ? time : undefined;

/** Decides which versions of a key to destroy, or why not: by its deletion, and by its retention. */
export function decideRetirement(key: RetiringKey, facts: RetirementFacts, now: Date): RetirementPlan[] {
  const { keyId, versions, owners } = key;
  const masterKeys = owners.flatMap(({ masterKey }) => masterKey ?? []);
  return [
    destructionOf(key, facts, now),
    ...masterKeys
      .filter(({ status }) => status?.keyId === keyId)
      .map((masterKey) =>
        retentionOf(masterKey, versions, masterKeyUses(masterKey, versions, facts), facts, now),
      ),
  ];
}

/** Every owner has to agree. */
function destructionOf(key: RetiringKey, facts: RetirementFacts, now: Date): DestructionPlan {
  const { keyId, versions, owners } = key;
  const plans = owners.map((owner) => {
    const uses = [...usesOfName(owner.name, keyId, versions, facts), ...remembered(owner.masterKey, facts)];
    return destructionFor(owner, { keyId, versions }, uses, facts, now);
  });
  return plans.find(({ kind }) => kind !== "destroy") ?? plans[0] ?? { kind: "none" };
}

function destructionFor(
  { name, masterKey }: KeyOwner,
  { keyId, versions }: Pick<RetiringKey, "keyId" | "versions">,
  uses: readonly Use[],
  { nodes, count, waiting, keyServers }: RetirementFacts,
  now: Date,
): DestructionPlan {
  const unsettled = unsettledProviders(keyServers, nodes);
  const observed = { name, keyId, versions, masterKey, uses, unsettled, nodes, count, waiting };
  return decideDestruction(observed, now);
}

function retentionOf(
  masterKey: MasterKey,
  versions: readonly KeyVersion[],
  uses: readonly Use[],
  facts: RetirementFacts,
  now: Date,
): RetentionPlan {
  const serves = new Set([
    objectText(masterKey),
    ...facts.keyAliases.filter(pointsTo(masterKey)).map((alias) => servedAlias(objectText(alias))),
  ]);
  const own = versions.filter(({ spec }) => nameText(spec.masterKey) === objectText(masterKey));
  const { nodes, count, waiting } = facts;
  const proof = proofOf(masterKey, own, facts.keyServers, nodes, serves);
  return decideRetention({ masterKey, versions: own, nodes, uses, proof, count, waiting }, now);
}

/** Includes an alias that is about to leave or to arrive: its API server may use either key. */
const pointsTo =
  ({ metadata }: MasterKey) =>
  (alias: KeyAlias): boolean =>
    alias.metadata.namespace === metadata.namespace &&
    [alias.spec.masterKey, alias.status?.masterKey].includes(metadata.name);

/**
 * A deletion is only accepted, and only continues, once a count shows that nothing is stored under the key. The
 * same holds for a deletion of imported material.
 */
export const awaitsCount = (masterKey: MasterKey): boolean => {
  const { spec, status } = masterKey;
  if (status?.keyId === undefined) return false;
  if (newDeletion(masterKey) !== undefined) return true;
  if (spec.deletion === undefined) return false;
  return status.deletion === undefined || foundObjects(masterKey);
};

/** Returns true if a plan only waits for a count. */
export const needsCount = (plan: RetirementPlan): boolean =>
  plan.kind === "wait" && (plan.reason === "Counting" || plan.reason === "NotCounted");
