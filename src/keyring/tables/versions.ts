import { parseKeyId, parseVersionId } from "../../crypto/ids.ts";
import { KEY_SPECS, KEY_USAGES, mayHaveUsage, ORIGINS } from "../../crypto/key-specs.ts";
import { ClavigerError, codeOf, messageOf } from "../../errors.ts";
import { nameText } from "../../names.ts";
import type { UnreadableVersion, VersionIdentity, VersionRow } from "../rows.ts";
import type { RawRow } from "../sqlite.ts";
import { isVersionNumber } from "../version-number.ts";
import { blob, damaged, oneOf, text, versionNumber } from "./columns.ts";
import { putOwnership } from "./ownership.ts";
import type { Sql } from "./sql.ts";

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

/** Reads a version's row among others, which must stay readable if this row is not. */
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

function toIdentity(row: RawRow): VersionIdentity {
  return {
    ...toBinding(row),
    keySpec: oneOf(row, "key_spec", KEY_SPECS),
    keyUsage: oneOf(row, "key_usage", KEY_USAGES),
    origin: oneOf(row, "origin", ORIGINS),
  };
}

/** Reads the key and the numbers that a version belongs to. */
export const toBinding = (row: RawRow) => ({
  versionId: parseVersionId(text(row, "version_id")),
  keyId: parseKeyId(text(row, "key_id")),
  number: versionNumber(row, "number"),
  masterKey: { namespace: text(row, "namespace"), name: text(row, "name") },
});

/**
 * Stores a version, or replaces the fields that the seal of a stored version does not bind. An unreadable row
 * is not changed.
 */
export function putVersion(sql: Sql, version: VersionRow): void {
  const unknown = unknownPart(version);
  if (unknown !== undefined) throw unknownVersion(version, unknown);
  const destroyed = sql.all("SELECT 1 FROM tombstones WHERE version_id = ?", version.versionId);
  if (destroyed.length > 0) {
    const which = `version ${version.number} of ${nameText(version.masterKey)}`;
    throw new ClavigerError("Internal", `${which} was destroyed and cannot be stored again`);
  }
  const held = sql.all("SELECT * FROM versions WHERE version_id = ?", version.versionId);
  if (held.some((row) => "error" in readVersionRow(row))) return;
  sql.run(
    `INSERT INTO versions
       (version_id, key_id, number, namespace, name, key_spec, key_usage, origin, seal_provider, root_key_id, sealed, material_id, valid_to, seq)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(seq), 0) + 1 FROM versions))
     ON CONFLICT (version_id) DO UPDATE SET
       namespace = excluded.namespace, name = excluded.name, origin = excluded.origin,
       material_id = excluded.material_id, valid_to = excluded.valid_to,
       seal_provider = excluded.seal_provider, root_key_id = excluded.root_key_id,
       sealed = excluded.sealed, seq = excluded.seq`,
    version.versionId,
    version.keyId,
    version.number,
    version.masterKey.namespace,
    version.masterKey.name,
    version.keySpec,
    version.keyUsage,
    version.origin,
    version.sealed.provider,
    version.sealed.rootKeyId,
    version.sealed.blob,
    version.materialId ?? null,
    version.validTo ?? null,
  );
  if (version.ownership !== undefined) putOwnership(sql, version.versionId, version.ownership);
}

/**
 * Returns the part of a version that this release does not know, and could not read again once
 * it was stored: the API server may hold versions of a newer release.
 */
export function unknownPart(version: VersionRow): string | undefined {
  const { keySpec, keyUsage, origin, number, validTo } = version;
  if (!isVersionNumber(number)) return `number ${number}`;
  if (validTo !== undefined && !Number.isSafeInteger(validTo)) return `validTo ${validTo}`;
  if (!KEY_SPECS.includes(keySpec)) return `keySpec ${keySpec}`;
  if (!KEY_USAGES.includes(keyUsage)) return `keyUsage ${keyUsage}`;
  if (!mayHaveUsage(keySpec, keyUsage)) return `keyUsage ${keyUsage} for keySpec ${keySpec}`;
  if (!ORIGINS.includes(origin)) return `origin ${origin}`;
  return undefined;
}

/** Makes the refusal of such a version. */
export const unknownVersion = ({ keyId, number }: VersionRow, part: string): ClavigerError =>
  new ClavigerError(
    "InvalidArgument",
    `version ${number} of key ${keyId} has ${part}, which this release does not know: run the newer release on this node`,
  );
