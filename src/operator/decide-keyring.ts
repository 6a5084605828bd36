import { parseKeyId, parseVersionId } from "../crypto/ids.ts";
import { ClavigerError } from "../errors.ts";
import {
  type AliasRow,
  isLater,
  type KeyRow,
  nameText,
  type VersionIdentity,
  type VersionRow,
} from "../keyring/rows.ts";
import type { KeyringChange } from "../keyring/writer.ts";
import type { KeyAlias, KeyVersion, MasterKey } from "../kube/resources.ts";
import { rfc3339 } from "./conditions.ts";
import { currentsAfter, planAlias } from "./plan-alias.ts";
import { byAge, isAlike } from "./versions.ts";

export interface ObservedResources {
  readonly masterKeys: readonly MasterKey[];
  readonly keyVersions: readonly KeyVersion[];
  readonly keyAliases: readonly KeyAlias[];
}

export interface KeyringContents {
  readonly keys: readonly KeyRow[];
  readonly aliases: readonly AliasRow[];
  readonly versions: readonly VersionRow[];
}

export interface KeyringPlan {
  /** One transaction, versions before what refers to them. */
  readonly changes: readonly KeyringChange[];
  /** Versions that this node has and the API server has lost. */
  readonly handBack: readonly VersionRow[];
  /** KeyVersions whose seal differs from ours: whichever opens is kept, and put where the other was. */
  readonly sealsDiffer: readonly SealDifference[];
  /** What contradicts that which this node holds; ours stays. A sentence each. */
  readonly contradictions: readonly string[];
}

/** A KeyVersion, and the row of the same version that this node has or takes. */
interface Match {
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
 * `acceptable` has the names of the KeyVersions not held yet that open under this
 * node's root key. Others are not stored: a forged one could not be got rid of, as
 * nodes hand back what they hold. Where several share a versionId, the oldest that
 * opens is the version, and the others contradict it.
 */
export function decideKeyring(
  resources: ObservedResources,
  keyring: KeyringContents,
  acceptable: ReadonlySet<string>,
): KeyringPlan {
  const held = new Map(keyring.versions.map((version) => [version.versionId, version]));
  const offers = resources.keyVersions
    .toSorted(byAge)
    .map((object) => ({ object, theirs: toVersionRow(object) }));
  const fresh = firstOfEach(
    offers.filter(
      ({ object, theirs }) => !held.has(theirs.versionId) && acceptable.has(object.metadata.name),
    ),
  ).map(({ theirs }) => theirs);
  const have = new Map([...held, ...fresh.map((row) => [row.versionId, row] as const)]);
  const known = offers.flatMap((offer): Match[] => {
    const mine = have.get(offer.theirs.versionId);
    return mine === undefined ? [] : [{ mine, ...offer }];
  });
  const consistent = known.filter(({ mine, theirs }) => sameIdentity(mine, theirs));
  const there = new Set(known.filter(({ mine, theirs }) => sameBinding(mine, theirs)).map(versionIdOf));
  const keys = resources.masterKeys.flatMap((masterKey) => keyChanges(masterKey, keyring.keys, have));
  const currents = currentsAfter(keyring.keys, keys, have);
  const aliases = resources.keyAliases.map((alias) => planAlias(alias, keyring.aliases, currents));
  return {
    changes: [
      ...fresh.map((version): KeyringChange => ({ kind: "putVersion", version })),
      ...firstOfEach(consistent).flatMap(expiryChange),
      ...keys,
      ...aliases.flatMap(({ changes }) => changes),
    ],
    handBack: keyring.versions.filter((version) => !there.has(version.versionId)),
    sealsDiffer: sealDifferences(consistent),
    contradictions: [
      ...known.filter(({ mine, theirs }) => !sameIdentity(mine, theirs)).map(altered),
      ...resources.masterKeys.flatMap((masterKey) => keyIdContradictions(masterKey, keyring.keys, have)),
      ...aliases.flatMap(({ contradictions }) => contradictions),
    ],
  };
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

/** The API server says until when material may be used: a re-import moves it, in either direction. */
function expiryChange({ mine, theirs }: Match): KeyringChange[] {
  if (mine.validTo === theirs.validTo) return [];
  const { sealed } = mine;
  return [{ kind: "putVersion", version: { ...theirs, sealed } }];
}

const altered = ({ mine, object }: Match): string =>
  `KeyVersion ${object.metadata.name} does not match what this node holds under versionId ${mine.versionId}`;

/** A KeyVersion's usual name. */
export const keyVersionName = ({ keyId, number }: Pick<VersionRow, "keyId" | "number">): string =>
  `${keyId}-${number}`;

/** A KeyVersion's row. Throws Internal for a tombstone, which has no material: see `hasMaterial`. */
export function toVersionRow({ spec }: Pick<KeyVersion, "spec">): VersionRow {
  if (spec.seal === undefined) throw new ClavigerError("Internal", `version ${spec.versionId} has no seal`);
  return {
    ...identityOf(spec),
    sealed: {
      provider: spec.seal.provider,
      rootKeyId: spec.seal.rootKeyId,
      blob: Buffer.from(spec.seal.sealed, "base64"),
    },
    ...(spec.materialId !== undefined && { materialId: spec.materialId }),
    ...(spec.validTo !== undefined && { validTo: Date.parse(spec.validTo) }),
  };
}

/** Which version a KeyVersion is, tombstones included. */
export const identityOf = (spec: KeyVersion["spec"]): VersionIdentity => ({
  versionId: parseVersionId(spec.versionId),
  keyId: parseKeyId(spec.keyId),
  number: spec.number,
  masterKey: spec.masterKey,
  keySpec: spec.keySpec,
  keyUsage: spec.keyUsage,
  origin: spec.origin,
});

type Seal = NonNullable<KeyVersion["spec"]["seal"]>;

export function toKeyVersionSpec(version: VersionRow): KeyVersion["spec"] & { readonly seal: Seal } {
  const { sealed, validTo, ...identity } = version;
  return {
    ...identity,
    ...(validTo !== undefined && { validTo: rfc3339(new Date(validTo)) }),
    seal: {
      provider: sealed.provider,
      rootKeyId: sealed.rootKeyId,
      sealed: Buffer.from(sealed.blob).toString("base64"),
    },
  };
}

function keyChanges(
  { metadata, spec, status }: MasterKey,
  keys: readonly KeyRow[],
  have: ReadonlyMap<string, VersionRow>,
): KeyringChange[] {
  if (status?.keyId === undefined) return [];
  const name = { namespace: metadata.namespace ?? "", name: metadata.name };
  const row = keys.find((key) => nameText(key) === nameText(name));
  const version = have.get(status.currentVersion?.versionId ?? "");
  const promoted = version?.keyId === status.keyId ? version : undefined;
  const { enabled } = spec;
  const deletionDate = status.deletion?.deletionDate;
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
function keyIdContradictions(
  { metadata, status }: MasterKey,
  keys: readonly KeyRow[],
  have: ReadonlyMap<string, VersionRow>,
): string[] {
  const name = nameText({ namespace: metadata.namespace ?? "", name: metadata.name });
  const row = keys.find((key) => nameText(key) === name);
  const keyId = status?.keyId;
  if (row === undefined || keyId === undefined || row.keyId === keyId) return [];
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

/** Whether one sealed blob can open as either: what its seal is bound to is the same (seal.ts). */
export function sameBinding(a: VersionRow, b: VersionRow): boolean {
  return (
    a.versionId === b.versionId &&
    a.keyId === b.keyId &&
    a.number === b.number &&
    a.keySpec === b.keySpec &&
    a.keyUsage === b.keyUsage
  );
}

function sameIdentity(a: VersionRow, b: VersionRow): boolean {
  return (
    sameBinding(a, b) && a.materialId === b.materialId && nameText(a.masterKey) === nameText(b.masterKey)
  );
}

function sameSeal(a: VersionRow, b: VersionRow): boolean {
  return (
    a.sealed.provider === b.sealed.provider &&
    a.sealed.rootKeyId === b.sealed.rootKeyId &&
    Buffer.compare(a.sealed.blob, b.sealed.blob) === 0
  );
}
