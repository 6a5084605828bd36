import { nameText, type ObjectName, servedAlias } from "../../names.ts";
import { conditionOf } from "../../resources/conditions.ts";
import { objectText } from "../../resources/object-text.ts";
import type { KeyAlias, KeyServer, KeyVersion, MasterKey } from "../../resources/resources.ts";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";
import { kmsKeyIdOf } from "../../resources/versions.ts";
import type { NodeView } from "../nodes/node-view.ts";
import { describeNode } from "../nodes/waiting-nodes.ts";
import { statusWithDeletion } from "./decide-deletion.ts";
import { type DestructionPlan, decideDestruction } from "./decide-destruction.ts";
import { erasureFinding } from "./decide-erased.ts";
import { decideRetention, type RetentionPlan } from "./decide-retention.ts";
import { retentionFinding, withExtraFindings } from "./retention-status.ts";
import { type Use, usesOf } from "./usage.ts";
import type { UsageCount } from "./usage-census.ts";
import { proofOf, unsettledProviders } from "./usage-proof.ts";
import type { Waiting } from "./waiting-period.ts";

/** Everything about the cluster that decides whether a key or its versions may go. */
export interface RetirementFacts {
  readonly keyServers: readonly KeyServer[];
  readonly keyAliases: readonly KeyAlias[];
  readonly nodes: readonly NodeView[];
  /** What is stored under each key_id. */
  readonly count: UsageCount;
  /** What this node itself saw of waiting periods, and whether its clock may be acted on. */
  readonly waiting: Waiting;
}

/** The versions of one keyId, and all who have to do with them: one KeyVersion may name whomever its writer liked. */
export interface RetiringKey {
  readonly keyId: string;
  readonly versions: readonly KeyVersion[];
  readonly owners: readonly KeyOwner[];
}

/** A name that has the keyId or that a version names, and its MasterKey, if there is one. */
export interface KeyOwner {
  readonly name: ObjectName;
  readonly masterKey: MasterKey | undefined;
}

export type RetirementPlan = DestructionPlan | RetentionPlan;

/** A MasterKey's status, completed by its use, its deletion and what was destroyed. */
export function retirementStatus(
  masterKey: MasterKey,
  status: MasterKeyStatus,
  versions: readonly KeyVersion[],
  facts: RetirementFacts,
  now: Date,
): MasterKeyStatus {
  const uses = [...masterKeyUses(masterKey, versions, facts), ...unknownUses(masterKey, facts)];
  const { nodes, count, waiting } = facts;
  const name = nameOf(masterKey);
  const unsettled = unsettledProviders(facts.keyServers, facts.nodes);
  const { keyId } = masterKey.status ?? {};
  const destruction =
    keyId === undefined
      ? undefined
      : decideDestruction(
          {
            name,
            keyId,
            versions: ofKey(keyId, versions),
            masterKey,
            uses,
            unsettled,
            nodes,
            count,
            waiting,
          },
          now,
        );
  const obstacle = destruction?.kind === "wait" ? destruction : clocksHoldUp(masterKey, waiting);
  const completed = statusWithDeletion(
    {
      masterKey,
      status,
      versions,
      uses,
      count,
      waiting,
      ...(obstacle && { obstacle: { reason: obstacle.reason, message: obstacle.message } }),
    },
    now,
  );
  const retention = retentionOf(masterKey, versions, uses, facts, now);
  const findings = [erasureFinding(masterKey, versions, nodes), retentionFinding(retention)];
  return withExtraFindings(masterKey, completed, findings, now);
}

/** Whoever waits for a deletion date must know at once that it does not come while clocks disagree. */
const clocksHoldUp = ({ status }: MasterKey, { time }: Waiting) =>
  time.kind === "disagree" && status?.deletion !== undefined ? time : undefined;

/**
 * A deletion that is accepted stops the key on every node at once. A node that has not reported may
 * serve it; what is accepted already is guarded by decideDestruction.
 */
function unknownUses({ spec, status }: MasterKey, { nodes }: RetirementFacts): Use[] {
  if (spec.deletion === undefined || status?.deletion !== undefined) return [];
  return nodes
    .filter(({ unreported }) => unreported === true)
    .map((node) => ({
      reason: "NodeNotReported",
      text: `node ${describeNode(node)}, for all that is known`,
    }));
}

/** Who needs a MasterKey. */
export const masterKeyUses = (
  masterKey: MasterKey,
  versions: readonly KeyVersion[],
  facts: RetirementFacts,
): Use[] => [
  ...usesOfName(nameOf(masterKey), masterKey.status?.keyId, versions, facts),
  ...remembered(masterKey, facts),
];

/** Who cannot count, or has not yet, leaves what was found by a leader that could. */
function remembered(masterKey: MasterKey | undefined, { count }: RetirementFacts): Use[] {
  if (count.kind === "counted" || !foundObjects(masterKey)) return [];
  const reason = "ObjectsUnderKey";
  if (count.kind === "impossible") {
    const text =
      "stored objects that a leader with etcd in its configuration found, and this one has none: give it to every operator";
    return [{ reason, text }];
  }
  // Only where it is counted anew (awaitsCount), and not believed for ever.
  return masterKey?.spec.deletion === undefined
    ? []
    : [{ reason, text: "stored objects, by the last count" }];
}

function foundObjects(masterKey: MasterKey | undefined): boolean {
  const inUse = conditionOf(masterKey?.status?.conditions, "InUse");
  return inUse?.status === "True" && inUse.reason === "ObjectsUnderKey";
}

/** What is to be destroyed of a key, or why it is not: by its deletion, and by its retention. */
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
function destructionOf(
  { keyId, versions, owners }: RetiringKey,
  facts: RetirementFacts,
  now: Date,
): DestructionPlan {
  const { nodes, count, waiting } = facts;
  const unsettled = unsettledProviders(facts.keyServers, facts.nodes);
  const plans = owners.map(({ name, masterKey }) => {
    const uses = [...usesOfName(name, keyId, versions, facts), ...remembered(masterKey, facts)];
    return decideDestruction(
      { name, keyId, versions, masterKey, uses, unsettled, nodes, count, waiting },
      now,
    );
  });
  return plans.find(({ kind }) => kind !== "destroy") ?? plans[0] ?? { kind: "none" };
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

function usesOfName(
  name: ObjectName,
  keyId: string | undefined,
  versions: readonly KeyVersion[],
  { keyServers, keyAliases, count }: RetirementFacts,
): Use[] {
  const kmsKeyIds = new Set<string>(ofKey(keyId, versions).map(kmsKeyIdOf));
  const key = { ...name, kmsKeyIds, ...(keyId !== undefined && { keyId }) };
  const stored = count.kind === "counted" ? { stored: count.stored } : {};
  return usesOf(key, { keyServers, keyAliases, ...stored });
}

const ofKey = (keyId: string | undefined, versions: readonly KeyVersion[]): KeyVersion[] =>
  versions.filter(({ spec }) => spec.keyId === keyId);

const nameOf = ({ metadata }: MasterKey): ObjectName => ({
  namespace: metadata.namespace ?? "",
  name: metadata.name,
});

/** Also one that is to leave, or to come: its API server may use either key. */
const pointsTo =
  ({ metadata }: MasterKey) =>
  (alias: KeyAlias): boolean =>
    alias.metadata.namespace === metadata.namespace &&
    [alias.spec.masterKey, alias.status?.masterKey].includes(metadata.name);

/** The keys of which something may have to go: most never have to, and cost one look. */
export function retiringKeys(
  versions: readonly KeyVersion[],
  masterKeys: readonly MasterKey[],
): RetiringKey[] {
  const owners = ownersAmong(masterKeys);
  return [...Map.groupBy(versions, ({ spec }) => spec.keyId)]
    .map(([keyId, its]) => ({ keyId, versions: its, owners: owners(keyId, its) }))
    .filter(isRetiring);
}

/** The versions of a keyId with their owners. */
export const retiringKey = (
  keyId: string,
  versions: readonly KeyVersion[],
  masterKeys: readonly MasterKey[],
): RetiringKey => ({ keyId, versions, owners: ownersAmong(masterKeys)(keyId, versions) });

type FindOwners = (keyId: string, versions: readonly KeyVersion[]) => KeyOwner[];

/** Walks the MasterKeys once for all keys. */
function ownersAmong(masterKeys: readonly MasterKey[]): FindOwners {
  const byName = new Map(masterKeys.map((key) => [objectText(key), key]));
  const byKeyId = Map.groupBy(masterKeys, ({ status }) => status?.keyId);
  return (keyId, versions) => {
    const having = byKeyId.get(keyId) ?? [];
    const names = [...having.map(nameOf), ...versions.map(({ spec }) => spec.masterKey)];
    const unique = new Map(names.map((name) => [nameText(name), name]));
    return [...unique].map(([text, name]) => ({ name, masterKey: byName.get(text) }));
  };
}

const isRetiring = ({ versions, owners }: RetiringKey): boolean =>
  owners.some(({ masterKey }) => masterKey?.spec.retention?.policy === "Destroy") ||
  versions.some(
    ({ spec, status }) =>
      status?.deletion !== undefined || (spec.destroyed !== undefined && status?.erasedAt === undefined),
  );

/** A deletion is accepted, and goes on, only once it is counted that nothing is stored under the key. */
export const awaitsCount = (masterKey: MasterKey): boolean => {
  const { spec, status } = masterKey;
  if (spec.deletion === undefined || status?.keyId === undefined) return false;
  return status.deletion === undefined || foundObjects(masterKey);
};

/** Whether a plan waits for nothing else than a count. */
export const needsCount = (plan: RetirementPlan): boolean =>
  plan.kind === "wait" && (plan.reason === "Counting" || plan.reason === "NotCounted");
