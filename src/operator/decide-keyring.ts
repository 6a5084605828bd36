import { parseKeyId, parseVersionId } from "../crypto/ids.ts";
import { ClavigerError } from "../errors.ts";
import { type AliasRow, isLater, type KeyRow, nameText, type VersionRow } from "../keyring/rows.ts";
import type { KeyringChange } from "../keyring/writer.ts";
import type { KeyAlias, KeyVersion, MasterKey } from "../kube/resources.ts";
import { rfc3339 } from "./conditions.ts";

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
  readonly sealsDiffer: readonly { readonly mine: VersionRow; readonly theirs: VersionRow }[];
  /** What contradicts that which this node holds; ours stays. A sentence each. */
  readonly contradictions: readonly string[];
}

/**
 * Decides what brings this node's keyring in step with the resources. Nothing
 * is ever taken out: a MasterKey, alias or KeyVersion that was deleted goes on
 * being served, because the API server's data may still need it.
 *
 * `acceptable` names the versions not held yet that open under this node's root
 * key. Others are not stored: a forged one could not be got rid of, as nodes
 * hand back what they hold.
 */
export function decideKeyring(
  resources: ObservedResources,
  keyring: KeyringContents,
  acceptable: ReadonlySet<string>,
): KeyringPlan {
  const held = new Map(keyring.versions.map((version) => [version.versionId, version]));
  const offered = new Map(resources.keyVersions.map(toVersionRow).map((row) => [row.versionId, row]));
  const fresh = [...offered.values()].filter(
    (row) => !held.has(row.versionId) && acceptable.has(row.versionId),
  );
  const known = [...offered.values()].flatMap((theirs) => {
    const mine = held.get(theirs.versionId);
    return mine === undefined ? [] : [{ mine, theirs }];
  });
  const consistent = known.filter(({ mine, theirs }) => sameIdentity(mine, theirs));
  const have = new Map([...held, ...fresh.map((row) => [row.versionId, row] as const)]);
  const keys = resources.masterKeys.flatMap((masterKey) => keyChanges(masterKey, keyring.keys, have));
  const canEncrypt = encrypting(keyring.keys, keys);
  return {
    changes: [
      ...fresh.map((version): KeyringChange => ({ kind: "putVersion", version })),
      ...consistent.flatMap(expiryChange),
      ...keys,
      ...resources.keyAliases.flatMap((alias) => aliasChanges(alias, keyring.aliases, canEncrypt)),
    ],
    handBack: keyring.versions.filter((version) => !offered.has(version.versionId)),
    sealsDiffer: consistent.filter(({ mine, theirs }) => !sameSeal(mine, theirs)),
    contradictions: [
      ...known.filter(({ mine, theirs }) => !sameIdentity(mine, theirs)).map(({ mine }) => altered(mine)),
      ...resources.masterKeys.flatMap((masterKey) => keyIdContradictions(masterKey, keyring.keys)),
    ],
  };
}

/** The API server says until when material may be used: a re-import moves it, in either direction. */
function expiryChange({
  mine,
  theirs,
}: {
  readonly mine: VersionRow;
  readonly theirs: VersionRow;
}): KeyringChange[] {
  if (mine.validTo === theirs.validTo) return [];
  const { sealed } = mine;
  return [{ kind: "putVersion", version: { ...theirs, sealed } }];
}

const altered = (mine: VersionRow): string =>
  `KeyVersion ${keyVersionName(mine)} does not match what this node holds under versionId ${mine.versionId}`;

/** A KeyVersion's usual name. */
export const keyVersionName = ({ keyId, number }: Pick<VersionRow, "keyId" | "number">): string =>
  `${keyId}-${number}`;

/** A KeyVersion's row. Throws Internal for a tombstone, which has no material: see `hasMaterial`. */
export function toVersionRow({ metadata, spec }: KeyVersion): VersionRow {
  if (spec.seal === undefined) throw new ClavigerError("Internal", `KeyVersion ${metadata.name} has no seal`);
  return {
    versionId: parseVersionId(spec.versionId),
    keyId: parseKeyId(spec.keyId),
    number: spec.number,
    masterKey: spec.masterKey,
    keySpec: spec.keySpec,
    keyUsage: spec.keyUsage,
    origin: spec.origin,
    sealed: {
      provider: spec.seal.provider,
      rootKeyId: spec.seal.rootKeyId,
      blob: Buffer.from(spec.seal.sealed, "base64"),
    },
    ...(spec.materialId !== undefined && { materialId: spec.materialId }),
    ...(spec.validTo !== undefined && { validTo: Date.parse(spec.validTo) }),
  };
}

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
  if (
    row?.current !== undefined &&
    row.keyId !== status.keyId &&
    (promoted === undefined || wasLeft(row, status.keyId))
  ) {
    return row.enabled === enabled ? [] : [{ kind: "putKey", key: { ...name, keyId: row.keyId, enabled } }];
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

/** Going back to a keyId would bring its key_ids back. */
const wasLeft = (row: KeyRow, keyId: string): boolean => row.formerKeyIds.some((former) => former === keyId);

/** A MasterKey whose keyId went back, in a restored etcd for instance. */
function keyIdContradictions({ metadata, status }: MasterKey, keys: readonly KeyRow[]): string[] {
  const name = nameText({ namespace: metadata.namespace ?? "", name: metadata.name });
  const row = keys.find((key) => nameText(key) === name);
  if (row === undefined || status?.keyId === undefined || !wasLeft(row, status.keyId)) return [];
  return [
    `MasterKey ${name} has keyId ${status.keyId}, which this node left for ${row.keyId}: it encrypts under that on, as a key_id must not return`,
  ];
}

/** The keys that have a current version once `changes` are made. */
function encrypting(keys: readonly KeyRow[], changes: readonly KeyringChange[]): ReadonlySet<string> {
  const already = keys.filter((key) => key.current !== undefined).map(nameText);
  const soon = changes.flatMap((change) => (change.kind === "setCurrent" ? nameText(change.key) : []));
  return new Set([...already, ...soon]);
}

/** Watches of two kinds keep no order: an alias moves once its new target can encrypt here. */
function aliasChanges(
  { metadata, status }: KeyAlias,
  aliases: readonly AliasRow[],
  canEncrypt: ReadonlySet<string>,
): KeyringChange[] {
  if (status?.masterKey === undefined) return [];
  const alias = { namespace: metadata.namespace ?? "", name: metadata.name, masterKey: status.masterKey };
  const row = aliases.find((candidate) => nameText(candidate) === nameText(alias));
  if (row?.masterKey === alias.masterKey) return [];
  const target = nameText({ namespace: alias.namespace, name: alias.masterKey });
  if (row !== undefined && !canEncrypt.has(target)) return [];
  return [{ kind: "putAlias", alias }];
}

function sameIdentity(a: VersionRow, b: VersionRow): boolean {
  return (
    a.keyId === b.keyId &&
    a.number === b.number &&
    a.keySpec === b.keySpec &&
    a.keyUsage === b.keyUsage &&
    a.materialId === b.materialId &&
    nameText(a.masterKey) === nameText(b.masterKey)
  );
}

function sameSeal(a: VersionRow, b: VersionRow): boolean {
  return (
    a.sealed.provider === b.sealed.provider &&
    a.sealed.rootKeyId === b.sealed.rootKeyId &&
    Buffer.compare(a.sealed.blob, b.sealed.blob) === 0
  );
}
