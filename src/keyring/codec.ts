import { type KmsKeyId, parseKeyId, parseVersionId } from "../crypto/ids.ts";
import {
  KEY_SPECS,
  KEY_USAGES,
  type KeySpec,
  type KeyUsage,
  ORIGINS,
  type Origin,
} from "../crypto/key-specs.ts";
import { ClavigerError, codeOf, messageOf } from "../errors.ts";
import { parsedJson } from "../json.ts";
import type { Ownership } from "../seal/ownership.ts";
import { parseFormerTargets } from "./former-targets.ts";
import type {
  AliasRow,
  KeptTombstone,
  KeyRow,
  ObjectRow,
  ObservationRow,
  UnreadableRow,
  UnreadableVersion,
  VersionIdentity,
  VersionRow,
} from "./rows.ts";
import type { RawRow } from "./sqlite.ts";
import { isVersionNumber } from "./version-number.ts";

/** The functions below check what they read: a damaged row is an error, not a wrong key. */
export function toVersionRow(row: RawRow): VersionRow {
  const { material_id: materialId, valid_to: validTo } = row;
  if (typeof validTo === "bigint") throw damaged("valid_to");
  return {
    ...toIdentity(row),
    sealed: {
      provider: text(row, "seal_provider"),
      rootKeyId: text(row, "root_key_id"),
      blob: blob(row, "sealed"),
    },
    ...(typeof materialId === "string" && { materialId }),
    ...(typeof validTo === "number" && { validTo }),
  };
}

export function toOwnership(row: RawRow): Ownership {
  return {
    revision: integer(row, "revision"),
    proof: {
      provider: text(row, "proof_provider"),
      rootKeyId: text(row, "root_key_id"),
      blob: blob(row, "proof"),
    },
  };
}

/** The same for a row among others, which must not go down with it. */
export function readVersionRow(row: RawRow): { readonly version: VersionRow } | UnreadableVersion {
  try {
    return { version: toVersionRow(row) };
  } catch (error) {
    const versionId = String(row.version_id);
    const text = `version ${versionId} cannot be read: ${messageOf(error)}`;
    const code = codeOf(error) === "Internal" ? "Internal" : "KeyringCorrupt";
    return { versionId, error: new ClavigerError(code, text, { cause: error }) };
  }
}

/** The rows that can be read, and the others by name. */
export interface ReadRows<T> {
  readonly rows: T[];
  readonly unreadable: UnreadableRow[];
}

/** Reads rows one by one: one that cannot be read never stops the others. */
function readRows<T>(rows: readonly RawRow[], read: (row: RawRow) => T, nameOf: (row: RawRow) => string) {
  const result: ReadRows<T> = { rows: [], unreadable: [] };
  for (const row of rows) {
    try {
      result.rows.push(read(row));
    } catch (cause) {
      const name = nameOf(row);
      const text = `the keyring's row of ${name} cannot be read: ${messageOf(cause)}`;
      result.unreadable.push({ name, error: new ClavigerError("KeyringCorrupt", text, { cause }) });
    }
  }
  return result;
}

const named =
  (kind: string) =>
  (row: RawRow): string =>
    `${kind} ${String(row.namespace)}/${String(row.name)}`;

export const readKeyRows = (rows: readonly RawRow[]): ReadRows<KeyRow> =>
  readRows(rows, toKeyRow, named("MasterKey"));

export const readAliasRows = (rows: readonly RawRow[]): ReadRows<AliasRow> =>
  readRows(rows, toAliasRow, named("KeyAlias"));

export const readObjectRows = (rows: readonly RawRow[]): ReadRows<ObjectRow> =>
  readRows(rows, toObjectRow, (row) => named(String(row.kind))(row));

/** The name ends with the versionId. */
export const readTombstoneRows = (rows: readonly RawRow[]): ReadRows<KeptTombstone> =>
  readRows(rows, toTombstone, (row) => TOMBSTONE + String(row.version_id));

const TOMBSTONE = "the tombstone of version ";

/** The versionId of an unreadable tombstone. */
export const tombstoneId = ({ name }: UnreadableRow): string | undefined =>
  name.startsWith(TOMBSTONE) ? name.slice(TOMBSTONE.length) : undefined;

/**
 * What of a version this release does not know, and could not read again once
 * it was stored: a newer release's API server may offer such.
 */
export function unknownPart(version: VersionRow): string | undefined {
  const { keySpec, keyUsage, origin, number, validTo } = version;
  if (!isVersionNumber(number)) return `number ${number}`;
  if (validTo !== undefined && !Number.isSafeInteger(validTo)) return `validTo ${validTo}`;
  if (!KEY_SPECS.includes(keySpec)) return `keySpec ${keySpec}`;
  if (!KEY_USAGES.includes(keyUsage)) return `keyUsage ${keyUsage}`;
  if (!ORIGINS.includes(origin)) return `origin ${origin}`;
  return undefined;
}

/** The refusal of such a version. */
export const unknownVersion = ({ keyId, number }: VersionRow, part: string): ClavigerError =>
  new ClavigerError(
    "InvalidArgument",
    `version ${number} of key ${keyId} has ${part}, which this release does not know: run the newer release on this node`,
  );

/** What a newer release destroyed may be of a kind that this one does not know: nobody uses it any more. */
function toTombstone(row: RawRow): KeptTombstone {
  return {
    ...toBinding(row),
    keySpec: text(row, "key_spec") as KeySpec,
    keyUsage: text(row, "key_usage") as KeyUsage,
    origin: text(row, "origin") as Origin,
    destroyedAt: text(row, "destroyed_at"),
    reason: text(row, "reason"),
    proof: {
      provider: text(row, "proof_provider"),
      rootKeyId: text(row, "root_key_id"),
      blob: blob(row, "proof"),
    },
    erased: integer(row, "erased") === 1,
  };
}

function toIdentity(row: RawRow): VersionIdentity {
  return {
    ...toBinding(row),
    keySpec: oneOf(row, "key_spec", KEY_SPECS),
    keyUsage: oneOf(row, "key_usage", KEY_USAGES),
    origin: oneOf(row, "origin", ORIGINS),
  };
}

const toBinding = (row: RawRow) => ({
  versionId: parseVersionId(text(row, "version_id")),
  keyId: parseKeyId(text(row, "key_id")),
  number: versionNumber(row, "number"),
  masterKey: { namespace: text(row, "namespace"), name: text(row, "name") },
});

export function toKeyRow(row: RawRow): KeyRow {
  const { current_version_id: current, deletion_date: deletionDate } = row;
  return {
    namespace: text(row, "namespace"),
    name: text(row, "name"),
    keyId: parseKeyId(text(row, "key_id")),
    enabled: integer(row, "enabled") === 1,
    ...(typeof deletionDate === "string" && { deletionDate }),
    formerKeyIds: text(row, "former_key_ids").split(" ").filter(Boolean).map(parseKeyId),
    ...(typeof current === "string" && {
      current: { versionId: parseVersionId(current), number: versionNumber(row, "current_number") },
    }),
  };
}

export function toAliasRow(row: RawRow): AliasRow {
  const { former_targets: former } = row;
  const formerTargets = typeof former === "string" ? parseFormerTargets(former) : [];
  return {
    namespace: text(row, "namespace"),
    name: text(row, "name"),
    masterKey: text(row, "master_key"),
    ...(formerTargets.length > 0 && { formerTargets }),
  };
}

export function toObjectRow(row: RawRow): ObjectRow {
  const json = text(row, "json");
  if (!isJson(json)) throw damaged("json");
  return { kind: text(row, "kind"), namespace: text(row, "namespace"), name: text(row, "name"), json };
}

export function toObservationRow(row: RawRow): ObservationRow {
  const {
    last_encrypt_at: lastEncryptAt,
    last_status_at: lastStatusAt,
    not_asked_since: notAskedSince,
  } = row;
  return {
    provider: shortText(row, "provider", 63),
    kmsKeyId: shortText(row, "kms_key_id", 64) as KmsKeyId,
    servingSince: count(row, "serving_since"),
    encrypts: count(row, "encrypts"),
    ...(typeof lastEncryptAt === "number" && { lastEncryptAt: count(row, "last_encrypt_at") }),
    settled: integer(row, "settled") === 1,
    ...(row.serves !== undefined && { serves: shortText(row, "serves", 600) }),
    ...(row.episode_settled !== undefined && { episodeSettled: row.episode_settled === 1 }),
    ...(row.episode !== undefined && { episode: shortText(row, "episode", 36) }),
    ...(typeof lastStatusAt === "number" && { lastStatusAt: count(row, "last_status_at") }),
    ...(typeof notAskedSince === "number" && { notAskedSince: count(row, "not_asked_since") }),
    ...(row.boot !== undefined && {
      mark: {
        boot: shortText(row, "boot", 64),
        statusAt: count(row, "status_monotonic"),
        whole: row.whole === 1,
      },
    }),
  };
}

/** What goes into a KeyServer has to fit there. */
function shortText(row: RawRow, column: string, maxLength: number): string {
  const value = text(row, column);
  if (value.length > maxLength) throw damaged(column);
  return value;
}

function count(row: RawRow, column: string): number {
  const value = integer(row, column);
  if (!Number.isSafeInteger(value) || value < 0) throw damaged(column);
  return value;
}

function text(row: RawRow, column: string): string {
  const value = row[column];
  if (typeof value !== "string") throw damaged(column);
  return value;
}

function integer(row: RawRow, column: string): number {
  const value = row[column];
  if (typeof value !== "number") throw damaged(column);
  return value;
}

function versionNumber(row: RawRow, column: string): number {
  const value = row[column];
  if (!isVersionNumber(value)) throw damaged(column);
  return value;
}

const isJson = (text: string): boolean => typeof parsedJson(text) === "object";

function blob(row: RawRow, column: string): Uint8Array {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw damaged(column);
  return value;
}

function oneOf<T extends string>(row: RawRow, column: string, allowed: readonly T[]): T {
  const value = allowed.find((candidate) => candidate === row[column]);
  if (value === undefined) throw damaged(column);
  return value;
}

const damaged = (column: string): ClavigerError =>
  new ClavigerError("KeyringCorrupt", `the keyring holds a value of column ${column} that it never wrote`);
