import type { KeyId } from "../../crypto/ids.ts";
import type { AliasRow, KeyRow, VersionRow } from "../../keyring/rows.ts";
import { nameText } from "../../names.ts";
import { objectText } from "../../resources/object-text.ts";
import type { KeyAlias, KeyServer, MasterKey } from "../../resources/resources.ts";
import { hasMaterial } from "../../resources/versions.ts";
import type { View } from "../../store/view.ts";
import type { ObservedKeyAlias } from "../alias/decide-key-alias.ts";
import { type HeldAlias, rememberAlias } from "../alias/remembered-alias.ts";
import { aliasesOf, importedAllowed, mayBeServed } from "../alias/served-aliases.ts";
import { type CheckedMasterKey, checkClaims } from "../claims/decide-claims.ts";
import { findIn } from "../claims/indexed.ts";
import type { ViewIndex } from "../claims/view-index.ts";
import { nodeViews } from "../nodes/node-views.ts";
import { unclaimedApiServers } from "../nodes/unclaimed-api-servers.ts";
import { switchesOf } from "../reencryption/switches.ts";
import type { Work } from "../reencryption/work.ts";
import { resting } from "../retirement/decide-deletion.ts";
import type { RetirementFacts } from "../retirement/decide-retirement.ts";
import type { UsageCount } from "../retirement/usage-census.ts";
import type { Waiting } from "../retirement/waiting-period.ts";
import type { MasterKeyPlan, ObservedMasterKey } from "./decide-master-key.ts";
import type { Lack, Room } from "./namespace-room.ts";

/** The tables of the leader's own keyring by which claims are checked. */
export interface LeaderKeyring {
  keys(): readonly KeyRow[];
  aliases(): readonly AliasRow[];
  versions(): readonly VersionRow[];
}

/** What the leader's process knows beside the view, the KeyServers and its keyring. */
export interface LeaderFacts {
  /** What works on the key's stored objects in this process. */
  readonly work: Work;
  /** Whether this operator reaches stored objects, and can count what etcd holds. */
  readonly reachable: boolean;
  readonly census: boolean;
  /** How often what is complete is counted again, in milliseconds; an hour if left out. */
  readonly censusInterval?: number;
  readonly room: Room;
  /** Random, for a key that has no keyId yet. */
  readonly freshKeyId: KeyId;
  readonly arnPrefix: string;
  /** The time by which material expires. */
  readonly expiryNow?: Date;
}

export interface MasterKeySources {
  readonly masterKey: MasterKey;
  readonly index: ViewIndex;
  readonly keyring: LeaderKeyring;
  /** Those of the view, or read past the cache. */
  readonly keyServers: readonly KeyServer[];
  readonly facts: LeaderFacts;
}

/** Gathers what decideMasterKey decides on. `now` is the time by which nodes are silent: the real clock. */
export function gatherMasterKey(sources: MasterKeySources, now: Date): ObservedMasterKey {
  const { masterKey, index, keyring, keyServers, facts } = sources;
  return {
    ...facts,
    masterKey: resting(checkedMasterKey(masterKey, index, keyring).masterKey),
    versions: index.versionsFor(masterKey).filter(hasMaterial),
    unrecorded: index.unrecordedFor(masterKey),
    nodes: nodeViews(keyServers, index.view.heardOf, now),
    switches: switchesOf(masterKey, aliasesOf(masterKey, index, keyServers), keyServers),
    unclaimed: unclaimedApiServers(index.view.apiServers ?? NOBODY, keyServers, now),
    ...heldKey(masterKey, index, keyring),
  };
}

const NOBODY: ReadonlyMap<string, number> = new Map();

/** The MasterKey without what the leader's own keyring contradicts. */
export function checkedMasterKey(
  masterKey: MasterKey,
  index: ViewIndex,
  keyring: LeaderKeyring,
): CheckedMasterKey {
  const row = keyRow(objectText(masterKey), keyring);
  return checkClaims(masterKey, { record: index.record, row, versions: index.versionsFor(masterKey) });
}

/** Under what the leader's keyring encrypts for a MasterKey that has no keyId, and which keyIds it left. */
function heldKey(
  masterKey: MasterKey,
  index: ViewIndex,
  keyring: LeaderKeyring,
): Pick<ObservedMasterKey, "held" | "left"> {
  if (masterKey.status?.keyId !== undefined) return {};
  const row = keyRow(objectText(masterKey), keyring);
  const left = new Set<string>(row?.formerKeyIds);
  const versionId = row?.current?.versionId;
  const destroyed = index
    .versionsFor(masterKey)
    .some((version) => version.spec.versionId === versionId && !hasMaterial(version));
  if (destroyed) return { left };
  const held = findIn(keyring.versions(), versionId ?? "", (version) => version.versionId);
  return held === undefined ? { left } : { held, left };
}

const keyRow = (name: string, keyring: LeaderKeyring): KeyRow | undefined =>
  findIn(keyring.keys(), name, nameText);

/**
 * Whether a plan must be decided once more on KeyServers read past the cache: it promotes a
 * version, or says that stored data or a rotation is done. A node that has just joined counts.
 */
export const needsFreshKeyServers = (plan: MasterKeyPlan, before: MasterKey): boolean =>
  plan.step.kind === "promote" || completes(plan, before);

/** Whether stored data or a rotation is said to be done that was not before. */
const completes = ({ status: after }: MasterKeyPlan, { status: before }: MasterKey): boolean =>
  (after.reencryption?.phase === "Complete" && before?.reencryption?.phase !== "Complete") ||
  (before?.rotation?.running !== undefined && after.rotation?.running === undefined);

export interface KeyAliasSources {
  readonly alias: KeyAlias;
  readonly index: ViewIndex;
  readonly keyring: LeaderKeyring;
  /** Says what the namespace has no room for. Asked only for an alias that points nowhere yet. */
  readonly lack: () => Lack | undefined;
  readonly arnPrefix: string;
}

/** Gathers what decideKeyAlias decides on. `now` is the time by which nodes are silent. */
export function gatherKeyAlias(sources: KeyAliasSources, now: Date): ObservedKeyAlias {
  const { alias, index, keyring, lack, arnPrefix } = sources;
  const { keyServers, heardOf } = index.view;
  const { namespace = "" } = alias.metadata;
  const named = (name: string | undefined) =>
    name === undefined ? undefined : index.masterKey({ namespace, name });
  const known = rememberAlias(alias, heldAlias(alias, keyring), named(alias.status?.masterKey));
  const target = named(alias.spec.masterKey);
  const nodes = nodeViews(keyServers, heardOf, now);
  // Of a node without KeyServer nobody knows whether it serves the alias.
  const unknown = nodes.some(({ unreported }) => unreported === true);
  return {
    alias: known,
    target,
    targetVersion: target && currentVersionOf(target, index),
    served: named(known.status?.masterKey),
    inService: unknown || mayBeServed(alias, keyServers),
    importedAllowed: !unknown && importedAllowed(alias, keyServers),
    lack: known.status?.masterKey === undefined ? lack() : undefined,
    nodes,
    arnPrefix,
  };
}

const currentVersionOf = (masterKey: MasterKey, index: ViewIndex) =>
  index
    .versionsFor(masterKey)
    .find(({ spec }) => spec.versionId === masterKey.status?.currentVersion?.versionId);

function heldAlias({ metadata }: KeyAlias, keyring: LeaderKeyring): HeldAlias | undefined {
  const { namespace = "", name } = metadata;
  const row = findIn(keyring.aliases(), nameText({ namespace, name }), nameText);
  if (row === undefined) return undefined;
  const key = keyRow(nameText({ namespace, name: row.masterKey }), keyring);
  return { ...row, ...(key && { keyId: key.keyId }) };
}

export interface RetirementSources {
  /** KeyServers and KeyAliases may have been read past the cache. */
  readonly view: Pick<View, "keyServers" | "keyAliases" | "heardOf">;
  readonly count: UsageCount;
  readonly waiting: Waiting;
}

/** Gathers what decides whether keys and versions may go. `now` is the time by which nodes are silent. */
export function gatherRetirement(
  { view: { keyServers, keyAliases, heardOf }, count, waiting }: RetirementSources,
  now: Date,
): RetirementFacts {
  return { keyServers, keyAliases, nodes: nodeViews(keyServers, heardOf, now), count, waiting };
}
