import { type KmsKeyId, kmsKeyId, parseKeyId } from "../crypto/ids.ts";
import { ClavigerError } from "../errors.ts";
import type { AliasRow, KeyRow, VersionRow } from "../keyring/rows.ts";
import { type KeyRef, nameText, type ObjectName } from "../names.ts";
import { type AwsSite, parseArn } from "./arn.ts";

/** A key, named as a user does: by its name, an alias, its keyId, or the ARN of the key or alias. */
export type KeyName = KeyRef | { readonly keyId: string } | { readonly arn: string; readonly site: AwsSite };

/** The part of a node's keyring in which keys are found. */
export interface KeyTables {
  /** By NAMESPACE/NAME. A change of the keyring brings another map. */
  readonly keys: ReadonlyMap<string, KeyRow>;
  /** By NAMESPACE/NAME. */
  readonly aliases: ReadonlyMap<string, AliasRow>;
  version(versionId: string): VersionRow | undefined;
  /** Returns the error for an object that is missing: the keyring may be unreadable at present. */
  absent(object: string): ClavigerError;
}

/** A key and its version that encrypts now. */
export interface CurrentVersion {
  readonly key: KeyRow;
  readonly version: VersionRow;
  readonly kmsKeyId: KmsKeyId;
}

/**
 * Finds a key. Throws NotFound, which names the missing object, or InvalidArgument for a malformed keyId or
 * ARN. A key that must not be used is found too: see `decideUse`.
 */
export function findKey(tables: KeyTables, name: KeyName): KeyRow {
  if ("arn" in name) return findKey(tables, parseArn(name.arn, name.site));
  if ("keyId" in name) return withKeyId(tables, parseKeyId(name.keyId));
  return named(tables, "key" in name ? name.key : aliasTarget(tables, name.alias));
}

/** Finds a key and its current version. Throws as `findKey` does, and NotReady if nothing is current yet. */
export function currentVersion(tables: KeyTables, name: KeyName): CurrentVersion {
  const key = findKey(tables, name);
  if (key.current === undefined) {
    throw new ClavigerError("NotReady", `MasterKey ${nameText(key)} has no current version on this node yet`);
  }
  const version = tables.version(key.current.versionId);
  if (version === undefined) {
    throw new ClavigerError(
      "KeyringCorrupt",
      `the current version of MasterKey ${nameText(key)} is not in the keyring`,
    );
  }
  return { key, version, kmsKeyId: kmsKeyId(version.keyId, version.versionId) };
}

function named(tables: KeyTables, name: ObjectName): KeyRow {
  const key = tables.keys.get(nameText(name));
  if (key === undefined) throw tables.absent(`MasterKey ${nameText(name)}`);
  return key;
}

function aliasTarget(tables: KeyTables, alias: ObjectName): ObjectName {
  const row = tables.aliases.get(nameText(alias));
  if (row === undefined) throw tables.absent(`KeyAlias ${nameText(alias)}`);
  return { namespace: alias.namespace, name: row.masterKey };
}

/** A MasterKey may claim a keyId that is another's. Only the one that the key's versions name is the key. */
function withKeyId(tables: KeyTables, keyId: string): KeyRow {
  const claimants = rowsByKeyId(tables.keys).get(keyId) ?? [];
  const [first, ...others] = claimants;
  if (first === undefined) throw tables.absent(`a MasterKey with keyId ${keyId}`);
  if (others.length === 0) return first;
  const owners = claimants.filter((key) => isNamedByItsVersion(tables, key));
  const [owner, ...rivals] = owners;
  if (owner !== undefined && rivals.length === 0) return owner;
  throw new ClavigerError(
    "InvalidArgument",
    `several MasterKeys have keyId ${keyId}: ${claimants.map(nameText).join(", ")}; use a key's name`,
  );
}

function isNamedByItsVersion(tables: KeyTables, key: KeyRow): boolean {
  const version = key.current && tables.version(key.current.versionId);
  return version !== undefined && nameText(version.masterKey) === nameText(key);
}

/** Indexes of the maps that were asked: a map does not change, and there may be thousands of keys. */
const indexes = new WeakMap<ReadonlyMap<string, KeyRow>, ReadonlyMap<string, readonly KeyRow[]>>();

function rowsByKeyId(keys: ReadonlyMap<string, KeyRow>): ReadonlyMap<string, readonly KeyRow[]> {
  const known = indexes.get(keys) ?? Map.groupBy(keys.values(), ({ keyId }) => keyId);
  indexes.set(keys, known);
  return known;
}
