import { type KeyId, kmsKeyId, type VersionId } from "../crypto/ids.ts";
import type { ObjectName } from "../keyring/rows.ts";
import type { KeyAlias, KeyServer, KeyVersion, MasterKey, MasterKeyStatus } from "../kube/resources.ts";
import { statusWithDeletion } from "./decide-deletion.ts";
import { type DestructionPlan, decideDestruction } from "./decide-destruction.ts";
import { erasureFinding } from "./decide-erased.ts";
import type { NodeView } from "./decide-master-key.ts";
import { decideRetention, type RetentionPlan } from "./decide-retention.ts";
import { retentionFinding, withExtraFindings } from "./retention-status.ts";
import { type Use, usesOf } from "./usage.ts";
import type { UsageCount } from "./usage-census.ts";
import { proofOf } from "./usage-proof.ts";
import { objectText } from "./view-index.ts";

/** Everything about the cluster that decides whether a key or its versions may go. */
export interface RetirementFacts {
  readonly keyServers: readonly KeyServer[];
  readonly keyAliases: readonly KeyAlias[];
  readonly nodes: readonly NodeView[];
  /** What is stored under each key_id. */
  readonly count: UsageCount;
}

/** The versions of one keyId, and the MasterKey of the name that they were made for, if there is one. */
export interface RetiringKey {
  readonly keyId: string;
  readonly versions: readonly KeyVersion[];
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
  const uses = masterKeyUses(masterKey, versions, facts);
  const { keyId } = masterKey.status ?? {};
  const destruction =
    keyId && destructionOf({ keyId, versions: ofKey(keyId, versions), masterKey }, facts, now);
  const obstacle = typeof destruction === "object" && destruction.kind === "wait" ? destruction : undefined;
  const completed = statusWithDeletion(
    {
      masterKey,
      status,
      versions,
      uses,
      count: facts.count,
      ...(obstacle && { obstacle: { reason: obstacle.reason, message: obstacle.message } }),
    },
    now,
  );
  const retention = retentionOf(masterKey, versions, facts, now);
  const findings = [erasureFinding(masterKey, versions, facts.nodes), retentionFinding(retention)];
  return withExtraFindings(masterKey, completed, findings, now);
}

/** Who needs a MasterKey. */
export const masterKeyUses = (
  masterKey: MasterKey,
  versions: readonly KeyVersion[],
  facts: RetirementFacts,
): Use[] => uses(nameOf(masterKey), masterKey.status?.keyId, versions, facts);

/** What is to be destroyed of a key, or why it is not: by its deletion, and by its retention. */
export function decideRetirement(key: RetiringKey, facts: RetirementFacts, now: Date): RetirementPlan[] {
  const { keyId, versions, masterKey } = key;
  const deletion = destructionOf(key, facts, now);
  if (masterKey === undefined || masterKey.status?.keyId !== keyId) return [deletion];
  return [deletion, retentionOf(masterKey, versions, facts, now)];
}

function destructionOf(
  { keyId, versions, masterKey }: RetiringKey,
  facts: RetirementFacts,
  now: Date,
): DestructionPlan {
  const name = versions[0]?.spec.masterKey;
  if (name === undefined) return { kind: "none" };
  const { nodes, count } = facts;
  const needed = uses(name, keyId, versions, facts);
  return decideDestruction({ name, keyId, versions, masterKey, uses: needed, nodes, count }, now);
}

function retentionOf(
  masterKey: MasterKey,
  versions: readonly KeyVersion[],
  facts: RetirementFacts,
  now: Date,
): RetentionPlan {
  const serves = new Set([
    objectText(masterKey),
    ...facts.keyAliases.filter(pointsTo(masterKey)).map((alias) => `alias ${objectText(alias)}`),
  ]);
  const proof = proofOf(masterKey, facts.keyServers, serves);
  const { nodes, count } = facts;
  const needed = masterKeyUses(masterKey, versions, facts);
  return decideRetention({ masterKey, versions, nodes, uses: needed, proof, count }, now);
}

function uses(
  name: ObjectName,
  keyId: string | undefined,
  versions: readonly KeyVersion[],
  { keyServers, keyAliases, count }: RetirementFacts,
): Use[] {
  const kmsKeyIds = new Set<string>(
    ofKey(keyId, versions).map(({ spec }) => kmsKeyId(spec.keyId as KeyId, spec.versionId as VersionId)),
  );
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

/** The versions of each keyId. */
export function byKeyId(versions: readonly KeyVersion[]): Map<string, KeyVersion[]> {
  return Map.groupBy(versions, ({ spec }) => spec.keyId);
}

/** Whether any of a key's versions may have to go: most never have to, and cost one look. */
export const isRetiring = ({ versions, masterKey }: RetiringKey): boolean =>
  masterKey?.spec.retention?.policy === "Destroy" ||
  versions.some(
    ({ spec, status }) =>
      status?.deletion !== undefined || (spec.destroyed !== undefined && status?.erasedAt === undefined),
  );

/** A deletion is accepted only once it is counted that nothing is stored under the key. */
export const awaitsCount = ({ spec, status }: MasterKey): boolean =>
  spec.deletion !== undefined && status?.deletion === undefined && status?.keyId !== undefined;

/** Whether a plan waits for nothing else than a count. */
export const needsCount = (plan: RetirementPlan): boolean =>
  plan.kind === "wait" && plan.reason === "NotCounted";
