import type { KeyId } from "../../crypto/ids.ts";
import type { ArnPrefixes } from "../../keys/arn.ts";
import { objectText } from "../../resources/object-text.ts";
import type { KeyServer, KeyVersion, MasterKey } from "../../resources/resources.ts";
import { hasMaterial } from "../../resources/versions.ts";
import { aliasesOf } from "../alias/served-aliases.ts";
import { type CheckedMasterKey, checkClaims } from "../claims/decide-claims.ts";
import { findIn } from "../claims/indexed.ts";
import { keyRowOf, type LeaderKeyring } from "../claims/leader-keyring.ts";
import { rivalOf } from "../claims/rival.ts";
import type { ViewIndex } from "../claims/view-index.ts";
import { nodeViews } from "../nodes/node-views.ts";
import { unclaimedApiServers } from "../nodes/unclaimed-api-servers.ts";
import { switchesOf } from "../reencryption/switches.ts";
import type { Work } from "../reencryption/work.ts";
import { resting } from "../retirement/decide-deletion.ts";
import type { Room } from "./namespace-room.ts";
import type { ObservedMasterKey } from "./observed-master-key.ts";

/**
 * A MasterKey with everything about it in the view and in the leader's own keyring, looked up once per pass.
 */
export interface KeyFacts {
  readonly masterKey: MasterKey;
  readonly index: ViewIndex;
  readonly keyring: LeaderKeyring;
  /** The versions that name the MasterKey, destroyed ones too. */
  readonly versions: readonly KeyVersion[];
  /** The MasterKey without the claims that the keyring contradicts. */
  readonly checked: CheckedMasterKey;
}

/** Gathers everything about a MasterKey in the view and in the leader's own keyring. */
export function gatherKey(masterKey: MasterKey, index: ViewIndex, keyring: LeaderKeyring): KeyFacts {
  const versions = index.versionsFor(masterKey);
  const row = keyRowOf(objectText(masterKey), keyring);
  const rival = rivalOf(masterKey, versions, index, keyring);
  const checked = checkClaims(masterKey, { record: index.record, row, versions, rival });
  return { masterKey, index, keyring, versions, checked };
}

/** The knowledge of the leader's process, besides the view, the KeyServers and its keyring. */
export interface LeaderFacts extends ArnPrefixes {
  /** The work on the key's stored objects in this process. */
  readonly work: Work;
  /** True if this operator reaches stored objects, and if it can count the objects in etcd. */
  readonly reachable: boolean;
  readonly census: boolean;
  /** How often complete data are counted again, in milliseconds; an hour if left out. */
  readonly censusInterval?: number;
  readonly room: Room;
  /** Random, for a key that has no keyId yet. */
  readonly freshKeyId: KeyId;
  /** The time by which material expires. */
  readonly expiryNow?: Date;
}

/**
 * Gathers the facts for decideMasterKey. `keyServers` are those of the view, or read past the cache. `now` is
 * the time by which nodes are silent: the real clock.
 */
export function gatherMasterKey(
  key: KeyFacts,
  keyServers: readonly KeyServer[],
  facts: LeaderFacts,
  now: Date,
): ObservedMasterKey {
  const { masterKey, index, versions, checked } = key;
  return {
    ...facts,
    masterKey: resting(checked.masterKey),
    versions: versions.filter(hasMaterial),
    unrecorded: index.unrecordedFor(masterKey),
    nodes: nodeViews(keyServers, index.view.heardOf, now),
    switches: switchesOf(masterKey, aliasesOf(masterKey, index, keyServers), keyServers),
    unclaimed: unclaimedApiServers(index.view.apiServers ?? NOBODY, keyServers, now),
    ...heldKey(key),
  };
}

const NOBODY: ReadonlyMap<string, number> = new Map();

/**
 * Returns the key under which the leader's keyring encrypts for a MasterKey that has no keyId, and the keyIds
 * that the name left.
 */
function heldKey({ masterKey, keyring, versions }: KeyFacts): Pick<ObservedMasterKey, "held" | "left"> {
  if (masterKey.status?.keyId !== undefined) return {};
  const row = keyRowOf(objectText(masterKey), keyring);
  const left = new Set<string>(row?.formerKeyIds);
  const versionId = row?.current?.versionId;
  const isDestroyed = (version: KeyVersion) => version.spec.versionId === versionId && !hasMaterial(version);
  if (versions.some(isDestroyed)) return { left };
  const held = findIn(keyring.versions(), versionId ?? "", (version) => version.versionId);
  return held === undefined ? { left } : { held, left };
}
