import type { ObjectName } from "../../names.ts";
import { conditionOf } from "../../resources/conditions.ts";
import { objectName } from "../../resources/object-text.ts";
import type { KeyAlias, KeyServer, KeyVersion, MasterKey } from "../../resources/resources.ts";
import { kmsKeyIdOf } from "../../resources/versions.ts";
import type { KeyUsers } from "../import/decide-material-deletion.ts";
import type { NodeView } from "../nodes/node-view.ts";
import { describeNode } from "../nodes/waiting-nodes.ts";
import { type Use, usesOf } from "./usage.ts";
import type { UsageCount } from "./usage-census.ts";
import { unsettledProviders } from "./usage-proof.ts";
import type { Waiting } from "./waiting-period.ts";

/** All facts about the cluster that decide if a key or its versions may be destroyed. */
export interface RetirementFacts {
  readonly keyServers: readonly KeyServer[];
  readonly keyAliases: readonly KeyAlias[];
  readonly nodes: readonly NodeView[];
  /** The number of objects stored under each key_id. */
  readonly count: UsageCount;
  /** This node's own record of waiting periods, and whether its clock may be trusted. */
  readonly waiting: Waiting;
}

/**
 * An accepted deletion stops the key on every node at once. A node that has not reported may serve it, so its
 * use is unknown. An already accepted deletion is guarded by decideDestruction.
 */
export const unknownUses = ({ spec, status }: MasterKey, facts: RetirementFacts): Use[] =>
  spec.deletion === undefined || status?.deletion !== undefined ? [] : unreportedUses(facts);

const unreportedUses = ({ nodes }: RetirementFacts): Use[] =>
  nodes
    .filter(({ unreported }) => unreported === true)
    .map((node) => ({
      reason: "NodeNotReported",
      text: `node ${describeNode(node)}, which has not reported which keys it serves and may use this one`,
    }));

/** Returns the users of a MasterKey. */
export const masterKeyUses = (
  masterKey: MasterKey,
  versions: readonly KeyVersion[],
  facts: RetirementFacts,
): Use[] => [
  ...usesOfName(objectName(masterKey), masterKey.status?.keyId, versions, facts),
  ...remembered(masterKey, facts),
];

/** Returns everything on which a deletion of a MasterKey's imported material depends. */
export const usersOf = (
  masterKey: MasterKey,
  versions: readonly KeyVersion[],
  facts: RetirementFacts,
): KeyUsers => ({
  uses: masterKeyUses(masterKey, versions, facts),
  unsettled: unsettledProviders(facts.keyServers, facts.nodes),
  nodes: facts.nodes,
  count: facts.count,
});

/** A leader that cannot count, or has not yet, keeps the findings of a leader that could. */
export function remembered(masterKey: MasterKey | undefined, { count }: RetirementFacts): Use[] {
  if (count.kind === "counted" || !foundObjects(masterKey)) return [];
  const reason = "ObjectsUnderKey";
  if (count.kind === "impossible") {
    const text =
      "stored objects that a leader with etcd in its configuration found, and this one has none: give it to every operator";
    return [{ reason, text }];
  }
  // Only if it is counted again (awaitsCount); otherwise it would be believed for ever.
  return masterKey?.spec.deletion === undefined
    ? []
    : [{ reason, text: "stored objects, by the last count" }];
}

export function foundObjects(masterKey: MasterKey | undefined): boolean {
  const inUse = conditionOf(masterKey?.status?.conditions, "InUse");
  return inUse?.status === "True" && inUse.reason === "ObjectsUnderKey";
}

/** Returns the users of the versions of a keyId under a name. */
export function usesOfName(
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

/** The versions of a keyId. */
export const ofKey = (keyId: string | undefined, versions: readonly KeyVersion[]): KeyVersion[] =>
  versions.filter(({ spec }) => spec.keyId === keyId);
