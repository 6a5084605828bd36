import { chain, firstFinding } from "../../chain.ts";
import { type ArnPrefixes, arnOf } from "../../keys/arn.ts";
import { type Finding, withFindings } from "../../resources/conditions.ts";
import type { KeyAlias, KeyVersion, MasterKey } from "../../resources/resources.ts";
import type { KeyAliasStatus } from "../../resources/schemas/key-alias.ts";
import { hasExpired } from "../import/material-expiry.ts";
import type { Lack } from "../master-key/namespace-room.ts";
import type { NodeView } from "../nodes/node-view.ts";
import { describeNode, waitReason } from "../nodes/waiting-nodes.ts";

export interface ObservedKeyAlias extends ArnPrefixes {
  readonly alias: KeyAlias;
  /** The MasterKey that spec names, if it exists. */
  readonly target: MasterKey | undefined;
  /** The MasterKey that the nodes serve under the alias now, if any. */
  readonly served: MasterKey | undefined;
  /** The target's current version. */
  readonly targetVersion?: KeyVersion | undefined;
  /** True if a KMS v2 provider serves the alias: an API server then depends on the key that it points to. */
  readonly inService: boolean;
  /** True if every such provider accepts imported material. */
  readonly importedAllowed: boolean;
  /** The reason why the namespace has no room for an alias that does not point anywhere yet. */
  readonly lack?: Lack | undefined;
  readonly nodes: readonly NodeView[];
}

/** "point" switches the nodes to the target; "stay" leaves them on the present key and says why. */
export type KeyAliasStep = { readonly kind: "point" } | { readonly kind: "stay"; readonly finding: Finding };

export interface KeyAliasPlan {
  readonly step: KeyAliasStep;
  readonly status: KeyAliasStatus;
}

/**
 * Decides which key an alias points to. The nodes follow status, not spec, and status moves only to a key
 * whose current version is on every node, as in a promotion. An alias that API servers depend on moves only
 * to a key that encrypts, and only while every node can follow.
 */
export function decideKeyAlias(observed: ObservedKeyAlias, now: Date): KeyAliasPlan {
  const { alias, target } = observed;
  const obstacle = firstFinding(checks, observed, now);
  const step: KeyAliasStep = obstacle ? { kind: "stay", finding: obstacle } : { kind: "point" };
  const moves = step.kind === "point" && target !== undefined;
  const former = moves ? formerTargets(observed) : alias.status?.formerTargets;
  const masterKey = moves ? target.metadata.name : alias.status?.masterKey;
  const keyId = moves ? target.status?.keyId : alias.status?.keyId;
  const finding = obstacle ?? pointsTo(masterKey ?? "");
  const { generation, namespace, name } = alias.metadata;
  const status = {
    observedGeneration: generation,
    arn: arnOf(observed, `${namespace}/${name}`, alias.status?.arn),
    ...(masterKey !== undefined && { masterKey }),
    ...(keyId !== undefined && { keyId }),
    ...(former !== undefined && { formerTargets: former }),
    conditions: withFindings(alias.status?.conditions, [finding], generation, now),
  };
  return { step, status };
}

/** The first check that fails is reported, so the order is the order in which to fix them. */
const checks = chain<[observed: ObservedKeyAlias, now: Date], Finding>({
  servedExists,
  targetExists,
  targetHasCurrentVersion,
  targetIsKept,
  targetEncrypts,
  targetIsNotImported,
  sameSpecAndUsage,
  keyIdNeverReturns,
  formerTargetsHaveRoom,
  namespaceHasRoom,
  everyNodeFollows,
});

/** The version that the alias leaves must be recorded before it leaves. */
function servedExists({ alias, served }: ObservedKeyAlias): Finding | undefined {
  const { masterKey } = alias.status ?? {};
  if (masterKey === undefined || served !== undefined || masterKey === alias.spec.masterKey) return undefined;
  const message = `MasterKey ${masterKey} was deleted; make it again (it adopts its versions) before the alias leaves it`;
  return notReady(alias, "ServedKeyMissing", message);
}

function targetExists({ alias, target }: ObservedKeyAlias): Finding | undefined {
  if (target !== undefined) return undefined;
  const wanted = `${alias.metadata.namespace}/${alias.spec.masterKey}`;
  return notReady(
    alias,
    "MasterKeyNotFound",
    `MasterKey ${wanted} does not exist: apply it, or name another one in spec.masterKey`,
  );
}

function targetHasCurrentVersion({ alias, target }: ObservedKeyAlias): Finding | undefined {
  if (target?.status?.currentVersion !== undefined) return undefined;
  return notReady(
    alias,
    "MasterKeyNotReady",
    `MasterKey ${alias.spec.masterKey} has no current version yet: its conditions say why`,
  );
}

/** AWS KMS CreateAlias and UpdateAlias: "The KMS key must not be pending deletion". */
function targetIsKept({ alias, target }: ObservedKeyAlias): Finding | undefined {
  const deletion = target?.status?.deletion;
  if (deletion === undefined || alias.status?.masterKey === alias.spec.masterKey) return undefined;
  const message = `MasterKey ${alias.spec.masterKey} is pending deletion and will be destroyed after ${deletion.deletionDate}: name another one in spec.masterKey, or take its spec.deletion out`;
  return notReady(alias, "PendingDeletion", message);
}

/** Returns true if API servers would be moved from one key to another. */
const movesApiServers = ({ alias, inService }: ObservedKeyAlias): boolean =>
  inService && alias.status?.masterKey !== undefined && alias.status.masterKey !== alias.spec.masterKey;

/**
 * AWS KMS lets an alias point to such a key, but an API server that is moved to it cannot store anything any
 * more.
 */
function targetEncrypts(observed: ObservedKeyAlias, now: Date): Finding | undefined {
  const { alias, target, targetVersion } = observed;
  if (target === undefined || !movesApiServers(observed)) return undefined;
  const { name } = target.metadata;
  if (!target.spec.enabled) {
    return notReady(
      alias,
      "MasterKeyDisabled",
      `MasterKey ${name} is disabled, and a provider serves the alias: set its spec.enabled to true, or name another one in spec.masterKey`,
    );
  }
  if (targetVersion === undefined || !hasExpired(targetVersion, now)) return undefined;
  const message = `the material of MasterKey ${name} expired at ${targetVersion.spec.validTo}, and a provider serves the alias: import the same material again, or name another MasterKey in spec.masterKey`;
  return notReady(alias, "MaterialExpired", message);
}

/**
 * Whoever imported material may know it, and so an editor of a namespace could choose the key under which
 * Secrets are encrypted. An alias that already points to the key stays there.
 */
function targetIsNotImported(observed: ObservedKeyAlias): Finding | undefined {
  const { alias, target, targetVersion, inService, importedAllowed } = observed;
  if (!inService || importedAllowed || alias.status?.keyId === target?.status?.keyId) return undefined;
  if (target?.spec.origin !== "EXTERNAL" && targetVersion?.spec.origin !== "EXTERNAL") return undefined;
  const message = `the material of MasterKey ${alias.spec.masterKey} is imported, and a provider serves the alias: set allowImported on that provider, on every node, if whoever imported the material may know the key`;
  return notReady(alias, "ImportedNotAllowed", message);
}

/**
 * Problems that the move itself may fix: the key that is left was destroyed, or is not the key that the node
 * left.
 */
const MENDED_BY_MOVING = new Set(["DestroyedVersionServed", "Contradiction"]);

const isUnwell = ({ problem, problemReason = "" }: NodeView): boolean =>
  problem !== undefined && !MENDED_BY_MOVING.has(problemReason);

/** A node that does not follow would continue to store under the former key. */
function everyNodeFollows(observed: ObservedKeyAlias): Finding | undefined {
  if (!movesApiServers(observed)) return undefined;
  const { alias, nodes } = observed;
  const behind = nodes.filter((node) => node.stale || node.unreported === true || isUnwell(node));
  if (behind.length === 0) return undefined;
  const message = `the alias moves to MasterKey ${alias.spec.masterKey} once every node can follow; waiting for ${behind.map(describeNode).join(", ")}`;
  return notReady(alias, waitReason(behind), message);
}

/** AWS KMS UpdateAlias: "The current and new key must be the same type, and have the same key usage". */
function sameSpecAndUsage({ alias, target, served }: ObservedKeyAlias): Finding | undefined {
  if (served === undefined || target === undefined) return undefined;
  if (served.spec.keySpec === target.spec.keySpec && served.spec.keyUsage === target.spec.keyUsage)
    return undefined;
  const message = `MasterKey ${target.metadata.name} is ${target.spec.keySpec} and ${served.metadata.name} is ${served.spec.keySpec}; an alias moves between keys of one spec and usage`;
  return notReady(alias, "KeySpecDiffers", message);
}

function keyIdNeverReturns({ alias, target }: ObservedKeyAlias): Finding | undefined {
  const left = alias.status?.formerTargets?.find(({ keyId }) => keyId === target?.status?.keyId);
  const current = target?.status?.currentVersion;
  if (left === undefined || current === undefined || current.number > left.number) return undefined;
  if (alias.status?.keyId === target?.status?.keyId) return undefined;
  const message = `the alias left MasterKey ${alias.spec.masterKey} at version ${left.number}, which is still current; a key_id must not return, so rotate that key first, or name another one in spec.masterKey`;
  return notReady(alias, "KeyIDWouldReturn", message);
}

/** Each of them is kept for ever, on every node: forgetting one could bring its key_id back. */
const MOST_FORMER_TARGETS = 100;

function formerTargetsHaveRoom(observed: ObservedKeyAlias): Finding | undefined {
  const { alias, target } = observed;
  if (alias.status?.keyId === target?.status?.keyId) return undefined;
  const before = alias.status?.formerTargets?.length ?? 0;
  const after = formerTargets(observed)?.length ?? 0;
  if (after <= MOST_FORMER_TARGETS || after <= before) return undefined;
  const message = `the alias has left ${before} keys, and no more than ${MOST_FORMER_TARGETS} are kept on record, none of which may be forgotten: make a new KeyAlias`;
  return notReady(alias, "TooManyFormerTargets", message);
}

function namespaceHasRoom({ alias, lack }: ObservedKeyAlias): Finding | undefined {
  if (lack === undefined || alias.status?.masterKey !== undefined) return undefined;
  return notReady(alias, lack.reason, lack.message);
}

/**
 * Returns the former targets, including the key that is left now, with its current version. Each key occurs
 * once.
 */
function formerTargets({ alias, target, served }: ObservedKeyAlias): KeyAliasStatus["formerTargets"] {
  const before = alias.status?.formerTargets;
  const keyId = served?.status?.keyId;
  const number = served?.status?.currentVersion?.number;
  if (keyId === undefined || number === undefined || keyId === target?.status?.keyId) return before;
  return [...(before ?? []).filter((former) => former.keyId !== keyId), { keyId, number }];
}

function notReady(alias: KeyAlias, reason: string, message: string): Finding {
  const kept = alias.status?.masterKey;
  const stays = kept === undefined || kept === alias.spec.masterKey ? "" : `; the nodes still serve ${kept}`;
  return { type: "Ready", status: "False", reason, message: message + stays };
}

const pointsTo = (masterKey: string): Finding => ({
  type: "Ready",
  status: "True",
  reason: "Pointing",
  message: `the alias is served as MasterKey ${masterKey}`,
});
