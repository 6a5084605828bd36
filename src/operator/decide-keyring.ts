import { parseKeyId, parseVersionId } from "../crypto/ids.ts";
import { type AliasRow, type KeyRow, nameText, type VersionRow } from "../keyring/rows.ts";
import type { KeyringChange } from "../keyring/writer.ts";
import type { KeyAlias, KeyVersion, MasterKey } from "../kube/resources.ts";

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
  /** KeyVersions that contradict what this node holds under the same versionId; ours stays. */
  readonly contradictions: readonly string[];
}

/**
 * Decides what brings this node's keyring in step with the resources. Nothing
 * is ever taken out: a MasterKey, alias or KeyVersion that was deleted goes on
 * being served, because the API server's data may still need it.
 */
export function decideKeyring(resources: ObservedResources, keyring: KeyringContents): KeyringPlan {
  const held = new Map(keyring.versions.map((version) => [version.versionId, version]));
  const offered = new Map(resources.keyVersions.map(toVersionRow).map((row) => [row.versionId, row]));
  const fresh = [...offered.values()].filter((row) => !held.has(row.versionId));
  const known = [...offered.values()].flatMap((theirs) => {
    const mine = held.get(theirs.versionId);
    return mine === undefined ? [] : [{ mine, theirs }];
  });
  const consistent = known.filter(({ mine, theirs }) => sameIdentity(mine, theirs));
  const have = new Map([...offered, ...held]);
  const keys = resources.masterKeys.flatMap((masterKey) => keyChanges(masterKey, keyring.keys, have));
  const canEncrypt = encrypting(keyring.keys, keys);
  return {
    changes: [
      ...fresh.map((version): KeyringChange => ({ kind: "putVersion", version })),
      ...keys,
      ...resources.keyAliases.flatMap((alias) => aliasChanges(alias, keyring.aliases, canEncrypt)),
    ],
    handBack: keyring.versions.filter((version) => !offered.has(version.versionId)),
    sealsDiffer: consistent.filter(({ mine, theirs }) => !sameSeal(mine, theirs)),
    contradictions: known
      .filter(({ mine, theirs }) => !sameIdentity(mine, theirs))
      .map(
        ({ mine }) =>
          `KeyVersion ${keyVersionName(mine)} does not match what this node holds under versionId ${mine.versionId}`,
      ),
  };
}

/** A KeyVersion's usual name. */
export const keyVersionName = ({ keyId, number }: Pick<VersionRow, "keyId" | "number">): string =>
  `${keyId}-${number}`;

export function toVersionRow({ spec }: KeyVersion): VersionRow {
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
  };
}

export function toKeyVersionSpec(version: VersionRow): KeyVersion["spec"] {
  const { sealed, ...identity } = version;
  return {
    ...identity,
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
  const wanted = { ...name, keyId: parseKeyId(status.keyId), enabled: spec.enabled };
  const row = keys.find((key) => nameText(key) === nameText(name));
  const sameKey = row?.keyId === wanted.keyId;
  const version = have.get(status.currentVersion?.versionId ?? "");
  const promoted = version?.keyId === wanted.keyId ? version : undefined;
  // A name that has passed to another key is served as the old one until the new one can encrypt.
  if (row?.current !== undefined && !sameKey && promoted === undefined) return [];
  const changes: KeyringChange[] = [];
  if (!sameKey || row?.enabled !== wanted.enabled) changes.push({ kind: "putKey", key: wanted });
  if (promoted !== undefined && isNewer(promoted, sameKey ? row.current : undefined)) {
    changes.push({ kind: "setCurrent", key: name, version: promoted });
  }
  return changes;
}

/** A current version never goes back: after a restore of etcd the nodes know better than the API server. */
function isNewer(version: VersionRow, current: KeyRow["current"]): boolean {
  if (current === undefined || version.number > current.number) return true;
  return version.number === current.number && version.versionId !== current.versionId;
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
