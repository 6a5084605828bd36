import { isDeepStrictEqual } from "node:util";
import { parseKeyId } from "../../crypto/ids.ts";
import type { KeyringChange } from "../../keyring/changes.ts";
import {
  type AliasRow,
  isLater,
  type KeyRow,
  type TombstoneRow,
  type VersionRow,
} from "../../keyring/rows.ts";
import { nameText, type ObjectName } from "../../names.ts";
import {
  sameBinding,
  sameIdentity,
  sameSeal,
  toOwnershipSpec,
  toVersionRow,
} from "../../resources/key-version-rows.ts";
import type { KeyAlias, KeyVersion, MasterKey } from "../../resources/resources.ts";
import { isAlike } from "../../resources/versions.ts";
import { ImportedGuard, importedUnderName } from "../alias/imported-guard.ts";
import { currentsAfter, planAlias } from "../alias/plan-alias.ts";
import { isForeignKeyId, type Owners, ownersOf } from "../claims/owners.ts";
import { inOrderOfTrust } from "../master-key/by-trust.ts";

export interface ObservedResources {
  readonly masterKeys: readonly MasterKey[];
  readonly keyVersions: readonly KeyVersion[];
  readonly keyAliases: readonly KeyAlias[];
}

export interface KeyringContents {
  readonly keys: readonly KeyRow[];
  readonly aliases: readonly AliasRow[];
  readonly versions: readonly VersionRow[];
  readonly tombstones?: readonly TombstoneRow[];
}

export interface KeyringPlan {
  /** One transaction, versions before what refers to them. */
  readonly changes: readonly KeyringChange[];
  /** Versions that this node has and the API server has lost. */
  readonly handBack: readonly VersionRow[];
  /** KeyVersions whose seal differs from ours: whichever opens is kept, and put where the other was. */
  readonly sealsDiffer: readonly SealDifference[];
  /** KeyVersions whose validTo or ownership proof is not the one that this node holds: ours is put back. */
  readonly bindingsDiffer: readonly Match[];
  /** Versions that neither this node nor the API server has an ownership proof of. */
  readonly unproven: readonly Match[];
  /** What contradicts that which this node holds; ours stays. A sentence each. */
  readonly contradictions: readonly string[];
}

/** What a node found out about the resources before it decides. */
export interface CheckedResources {
  /**
   * Names of the KeyVersions not held yet that open under this node's root key. Others are not
   * stored: a forged one could not be got rid of, as nodes hand back what they hold.
   */
  readonly acceptable: ReadonlySet<string>;
  /** Names of the KeyVersions whose ownership proof is this root key's. */
  readonly proven: ReadonlySet<string>;
  /** versionIds that this node's own providers serve. */
  readonly served: ReadonlySet<string>;
  /** What providers serve that do not take imported material (keyRefText). */
  readonly guarded?: ReadonlySet<string>;
}

/** A KeyVersion, and the row of the same version that this node has or takes. */
export interface Match {
  readonly mine: VersionRow;
  readonly theirs: VersionRow;
  readonly object: KeyVersion;
}

export interface SealDifference extends Match {
  /** Whether another KeyVersion of this version has our seal: then theirs is no re-seal to follow. */
  readonly oursIsThere: boolean;
}

/**
 * Decides what brings this node's keyring in step with the resources. Nothing
 * is ever taken out: a MasterKey, alias or KeyVersion that was deleted goes on
 * being served, because the API server's data may still need it.
 *
 * What a version's seal does not bind (its MasterKey, its validTo) is believed if it is proven
 * (seal/ownership.ts), or else as this node recorded it first. If several KeyVersions share a
 * versionId, a proven one is the version, or else the oldest; the others contradict it.
 */
export function decideKeyring(
  resources: ObservedResources,
  keyring: KeyringContents,
  { acceptable, proven, served, guarded = new Set() }: CheckedResources,
): KeyringPlan {
  const held = new Map(keyring.versions.map((version) => [version.versionId, version]));
  const offers = inOrderOfTrust(resources.keyVersions, proven).map((object) => ({
    object,
    theirs: toVersionRow(object),
  }));
  const fresh = firstOfEach(
    offers.filter(
      ({ object, theirs }) => !held.has(theirs.versionId) && acceptable.has(object.metadata.name),
    ),
  ).map(({ theirs, object }) => (proven.has(object.metadata.name) ? theirs : withoutProof(theirs)));
  const have = new Map([...held, ...fresh.map((row) => [row.versionId, row] as const)]);
  const known = offers.flatMap((offer): Match[] => {
    const mine = have.get(offer.theirs.versionId);
    return mine === undefined ? [] : [{ mine, ...offer }];
  });
  const taken = firstOfEach(known.filter((match) => isBetterProven(match, proven)));
  const isTaken = new Set(taken);
  const isConsistent = (match: Match) => isTaken.has(match) || sameIdentity(match.mine, match.theirs);
  const [consistent, inconsistent] = partition(known, isConsistent);
  const there = new Set(consistent.map(versionIdOf));
  for (const { mine, theirs } of taken) have.set(mine.versionId, { ...theirs, sealed: mine.sealed });
  const everKnown = [...have.values(), ...(keyring.tombstones ?? [])];
  const guard = new ImportedGuard(guarded, keyring.aliases, everKnown);
  const rows = new Map(keyring.keys.map((row) => [nameText(row), row]));
  const facts = { have, rows, owners: ownersOf(have.values()), served, guard };
  const keys = resources.masterKeys.flatMap((masterKey) => keyChanges(masterKey, facts));
  const currents = currentsAfter(keyring.keys, keys, have);
  const aliasRows = new Map(keyring.aliases.map((row) => [nameText(row), row]));
  const aliases = resources.keyAliases.map((alias) => planAlias(alias, aliasRows, currents, guard));
  return {
    changes: [
      ...fresh.map((version): KeyringChange => ({ kind: "putVersion", version })),
      ...taken.map(
        ({ mine, theirs }): KeyringChange => ({
          kind: "putVersion",
          version: { ...theirs, sealed: mine.sealed },
        }),
      ),
      ...keys,
      ...aliases.flatMap(({ changes }) => changes),
    ],
    handBack: keyring.versions.filter((version) => !there.has(version.versionId)),
    sealsDiffer: sealDifferences(consistent),
    bindingsDiffer: consistent.filter((match) => !isTaken.has(match) && !sameOwnership(match)),
    unproven: firstOfEach(consistent).filter(
      ({ mine, theirs, object }) =>
        mine.ownership === undefined && sameExpiry(mine, theirs) && !proven.has(object.metadata.name),
    ),
    contradictions: [
      ...inconsistent.map(altered),
      ...keyring.keys.flatMap((key) => ledAstray(key, have)),
      ...resources.masterKeys.flatMap((masterKey) => keyIdContradictions(masterKey, facts)),
      ...resources.masterKeys.filter((masterKey) => isImported(masterKey, facts)).map(importedUnderName),
      ...aliases.flatMap(({ contradictions }) => contradictions),
    ],
  };
}

/** The elements of which something holds, and the others. */
function partition<T>(elements: readonly T[], holds: (element: T) => boolean): [T[], T[]] {
  const parts: [T[], T[]] = [[], []];
  for (const element of elements) parts[holds(element) ? 0 : 1].push(element);
  return parts;
}

const versionIdOf = ({ theirs }: { readonly theirs: VersionRow }): string => theirs.versionId;

/** The first offer of each versionId. */
function firstOfEach<T extends { readonly theirs: VersionRow }>(offers: readonly T[]): T[] {
  const first = new Map<string, T>();
  for (const offer of offers) if (!first.has(versionIdOf(offer))) first.set(versionIdOf(offer), offer);
  return [...first.values()];
}

function sealDifferences(consistent: readonly Match[]): SealDifference[] {
  const same = consistent.filter(({ mine, theirs }) => sameSeal(mine, theirs));
  const ours = new Set(same.map(versionIdOf));
  return consistent
    .filter(({ mine, theirs }) => !sameSeal(mine, theirs))
    .map((match) => ({ ...match, oursIsThere: ours.has(versionIdOf(match)) }));
}

/** Stored, a proof that nobody has verified would be held against the genuine one. */
const withoutProof = ({ ownership: _, ...version }: VersionRow): VersionRow => version;

/** Whether a KeyVersion's proof is later than the one that this node has, or the first. */
function isBetterProven({ mine, theirs, object }: Match, proven: ReadonlySet<string>): boolean {
  if (!proven.has(object.metadata.name) || !sameBinding(mine, theirs)) return false;
  const [ours, other] = [mine.ownership, theirs.ownership];
  if (ours === undefined || other === undefined) return other !== undefined;
  if (other.revision !== ours.revision) return other.revision > ours.revision;
  // Two leaders proved at once: every node takes the later end.
  return (theirs.validTo ?? Infinity) > (mine.validTo ?? Infinity);
}

/** Resources have whole seconds. */
const sameExpiry = (a: VersionRow, b: VersionRow): boolean =>
  Math.floor((a.validTo ?? 0) / 1000) === Math.floor((b.validTo ?? 0) / 1000);

/** A proof that only the API server has is no difference to mend: it is taken, or was not made with our root key. */
function sameOwnership({ mine, theirs, object }: Match): boolean {
  const strayExpiry = theirs.origin !== "EXTERNAL" && object.spec.validTo !== undefined;
  if (strayExpiry || !sameExpiry(mine, theirs)) return false;
  if (mine.ownership === undefined) return true;
  return isDeepStrictEqual(toOwnershipSpec(mine.ownership), object.spec.ownership);
}

const altered = ({ mine, object }: Match): string =>
  `KeyVersion ${object.metadata.name} does not match what this node holds under versionId ${mine.versionId}`;

interface Held {
  /** The MasterKeys that this node has, by NAMESPACE/NAME. */
  readonly rows: ReadonlyMap<string, KeyRow>;
  /** The versions that this node has. */
  readonly have: ReadonlyMap<string, VersionRow>;
  /** Of these versions. */
  readonly owners: Owners;
  /** versionIds that its own providers serve. */
  readonly served: ReadonlySet<string>;
  readonly guard: ImportedGuard;
}

function keyChanges(masterKey: MasterKey, held: Held): KeyringChange[] {
  const { have, served, guard } = held;
  const { metadata, spec, status } = masterKey;
  if (status?.keyId === undefined) return [];
  const name = { namespace: metadata.namespace ?? "", name: metadata.name };
  const row = held.rows.get(nameText(name));
  const { enabled } = spec;
  if (isForeignKeyId(status.keyId, name, held.owners)) {
    return row === undefined || row.enabled === enabled ? [] : [{ kind: "putKey", key: { ...row, enabled } }];
  }
  const version = have.get(status.currentVersion?.versionId ?? "");
  const refused = guard.refuses(nameText(name), version, have.get(row?.current?.versionId ?? ""));
  const mayServe = version !== undefined && isOwn(version, status.keyId, name) && !refused;
  const promoted = mayServe ? version : undefined;
  const deletionDate = isDeletionInUse(masterKey, row, served)
    ? undefined
    : spec.deletion && status.deletion?.deletionDate;
  // Served as the old key until the new one can encrypt, and disabled by its name all the while.
  if (row !== undefined && row.keyId !== status.keyId && keepsKeyId(row, status.keyId, promoted, have)) {
    // Its deletion is the old key's own affair, and stays as it is.
    return row.enabled === enabled ? [] : [{ kind: "putKey", key: { ...row, enabled } }];
  }
  const key = {
    ...name,
    keyId: parseKeyId(status.keyId),
    enabled,
    ...(deletionDate !== undefined && { deletionDate }),
  };
  const changes: KeyringChange[] = [];
  const same = row?.keyId === key.keyId && row.enabled === enabled && row.deletionDate === deletionDate;
  if (!same) changes.push({ kind: "putKey", key });
  const current = row?.keyId === key.keyId ? row.current : undefined;
  if (promoted !== undefined && (current === undefined || isLater(promoted, current))) {
    changes.push({ kind: "setCurrent", key: name, version: promoted });
  }
  return changes;
}

/** Whether a version is a MasterKey's own: of its keyId, and proven or recorded under its name. */
const isOwn = (version: VersionRow, keyId: string, name: ObjectName): boolean =>
  version.keyId === keyId && nameText(version.masterKey) === nameText(name);

/**
 * A deletion is accepted only of a key that nobody uses. What this node's own providers serve
 * is in use, whatever a status says; a deletion that it has on record already goes on.
 */
const isDeletionInUse = (
  { spec, status }: MasterKey,
  row: KeyRow | undefined,
  served: ReadonlySet<string>,
): boolean =>
  spec.deletion !== undefined &&
  status?.deletion !== undefined &&
  row?.deletionDate === undefined &&
  served.has(row?.current?.versionId ?? "");

/** A name that an earlier release, which believed any status, was led to another MasterKey's key with. */
function ledAstray(row: KeyRow, have: ReadonlyMap<string, VersionRow>): string[] {
  const current = have.get(row.current?.versionId ?? "");
  if (current === undefined || nameText(current.masterKey) === nameText(row)) return [];
  const name = nameText(row);
  return [
    `MasterKey ${name} encrypts under version ${current.number} of MasterKey ${nameText(current.masterKey)} on this node, which somebody led it to: stop its operator and run claviger repair ${name}`,
  ];
}

/** Whether the MasterKey's current version is not served here because it is imported. */
function isImported({ metadata, status }: MasterKey, { have, rows, guard }: Held): boolean {
  const name = nameText({ namespace: metadata.namespace ?? "", name: metadata.name });
  const row = rows.get(name);
  const next = have.get(status?.currentVersion?.versionId ?? "");
  return guard.refuses(name, next, have.get(row?.current?.versionId ?? ""));
}

/** What was left is not gone back to, also where the key that it was left for was destroyed since. */
function keepsKeyId(
  row: KeyRow,
  keyId: string,
  promoted: VersionRow | undefined,
  have: ReadonlyMap<string, VersionRow>,
): boolean {
  if (wasLeft(row, keyId)) return true;
  return row.current !== undefined && (promoted === undefined || isOtherKind(row, promoted, have));
}

/** Going back to a keyId would bring its key_ids back. */
const wasLeft = (row: KeyRow, keyId: string): boolean => row.formerKeyIds.some((former) => former === keyId);

/** A name that is served never becomes another kind of key: its callers could do nothing with that. */
function isOtherKind({ current }: KeyRow, promoted: VersionRow, have: ReadonlyMap<string, VersionRow>) {
  const served = have.get(current?.versionId ?? "");
  return served !== undefined && !isAlike(served, promoted);
}

/** A MasterKey whose keyId went back, in a restored etcd for instance, or is another kind of key now. */
function keyIdContradictions(masterKey: MasterKey, held: Held): string[] {
  const { have, served } = held;
  const { metadata, status } = masterKey;
  const objectName = { namespace: metadata.namespace ?? "", name: metadata.name };
  const name = nameText(objectName);
  const row = held.rows.get(name);
  const keyId = status?.keyId;
  if (keyId === undefined) return [];
  if (isForeignKeyId(keyId, objectName, held.owners)) {
    return [
      `MasterKey ${name} has keyId ${keyId} in its status, which is another MasterKey's key: it is not followed; delete the object and create it again, which gives it its own key back`,
    ];
  }
  const version = have.get(status?.currentVersion?.versionId ?? "");
  if (version !== undefined && !isOwn(version, keyId, objectName)) {
    return [
      `MasterKey ${name} names version ${version.number} of MasterKey ${nameText(version.masterKey)} as its current one: it is not followed, and the leader puts the status right`,
    ];
  }
  if (isDeletionInUse(masterKey, row, served)) {
    return [
      `MasterKey ${name} is said to be pending deletion, and a provider of this node serves it: it is served on; take spec.deletion out`,
    ];
  }
  if (row === undefined || row.keyId === keyId) return [];
  if (wasLeft(row, keyId)) {
    return [
      `MasterKey ${name} has keyId ${keyId}, which this node left for ${row.keyId}: it encrypts under that on, as a key_id must not return`,
    ];
  }
  const promoted = have.get(status?.currentVersion?.versionId ?? "");
  if (promoted?.keyId !== keyId || !isOtherKind(row, promoted, have)) return [];
  return [
    `MasterKey ${name} has keyId ${keyId}, which is another kind of key than ${row.keyId}: this node serves ${row.keyId} on`,
  ];
}
