import { createHash } from "node:crypto";
import type { SQLOutputValue } from "node:sqlite";
import { ClavigerError, messageOf } from "../../errors.ts";
import { fieldsOf, parsedJson } from "../../json.ts";
import type { Ownership } from "../../seal/ownership.ts";
import type { Sealed } from "../../seal/seal.ts";
import type { AliasRow, KeyRow, KeyringImage, ObjectRow, VersionRow } from "../rows.ts";
import { toAliasRow } from "../tables/aliases.ts";
import { toKeyRow } from "../tables/keys.ts";
import { toObjectRow } from "../tables/objects.ts";
import { toOwnership } from "../tables/ownership.ts";
import { toVersionRow } from "../tables/versions.ts";

/** A keyring as it was at one moment. */
export interface Backup {
  /** RFC 3339. */
  readonly takenAt: string;
  readonly nodeName: string;
  readonly image: KeyringImage;
}

const FORMAT = 1;
/** The first line says what the file is, so that no other file is taken for a backup. */
const BEGINNING = '{"clavigerBackup":';

/**
 * Renders a backup: one JSON object per line (docs/formats.md). The first line says what it is. The last line
 * has the number of the other lines and their SHA-256, so that a truncated or altered copy is detected. It
 * contains no plaintext: versions stay sealed.
 */
export function encodeBackup({ takenAt, nodeName, image }: Backup): string {
  const lines = [
    { clavigerBackup: { format: FORMAT, takenAt, node: nodeName } },
    ...image.versions.map((version) => lineOf({ version })),
    ...image.keys.map((key) => lineOf({ key })),
    ...image.aliases.map((alias) => lineOf({ alias })),
    ...image.objects.map((object) => lineOf({ object })),
  ].map((record) => `${JSON.stringify(record)}\n`);
  const body = lines.join("");
  const end = { lines: lines.length, sha256: sha256(Buffer.from(body)) };
  return `${body}${JSON.stringify({ end })}\n`;
}

/**
 * Reads a backup; `path` is only for messages. Throws KeyringCorrupt if it is not a backup, is truncated, was
 * altered, or has a format that this release does not know.
 */
export function parseBackup(bytes: Buffer, path: string): Backup {
  const header = headerOf(bytes, path);
  const lines = checkedLines(bytes, path);
  const records = lines.slice(1).map((line, index) => recordOf(line, path, index + 2));
  return {
    ...header,
    image: {
      versions: records.flatMap(({ version }) => version ?? []),
      keys: records.flatMap(({ key }) => key ?? []),
      aliases: records.flatMap(({ alias }) => alias ?? []),
      objects: records.flatMap(({ object }) => object ?? []),
    },
  };
}

/** Checked first, so that a newer format is reported as such and not as damage. */
function headerOf(bytes: Buffer, path: string): Pick<Backup, "takenAt" | "nodeName"> {
  const first = bytes.subarray(0, Math.max(0, bytes.indexOf("\n"))).toString("utf8");
  if (!first.startsWith(BEGINNING)) {
    throw new ClavigerError("KeyringCorrupt", `${path} is not a backup of claviger`);
  }
  const header = fieldsOf(fieldsOf(jsonOf(first, path)).clavigerBackup);
  if (header.format !== FORMAT) {
    throw new ClavigerError(
      "KeyringCorrupt",
      `backup ${path} has format ${String(header.format)} and this release knows ${FORMAT}: use the release that wrote it`,
    );
  }
  return { takenAt: String(header.takenAt), nodeName: String(header.node) };
}

/** Returns the lines before the last line, which must confirm them. */
function checkedLines(bytes: Buffer, path: string): string[] {
  const end = bytes.lastIndexOf('{"end":');
  if (end < 0 || bytes.at(-1) !== 0x0a || bytes.indexOf("\n", end) !== bytes.length - 1) {
    throw new ClavigerError(
      "KeyringCorrupt",
      `backup ${path} is cut off, it has no last line: use another copy`,
    );
  }
  const body = bytes.subarray(0, end);
  const lines = body.toString("utf8").split("\n").slice(0, -1);
  const vouched = fieldsOf(fieldsOf(jsonOf(bytes.subarray(end).toString("utf8"), path)).end);
  if (vouched.lines !== lines.length || vouched.sha256 !== sha256(body)) {
    throw new ClavigerError(
      "KeyringCorrupt",
      `backup ${path} was altered: its lines do not match the count and SHA-256 checksum in its last line; use another copy`,
    );
  }
  return lines;
}

interface BackupRecord {
  readonly version?: VersionRow;
  readonly key?: KeyRow;
  readonly alias?: AliasRow;
  readonly object?: ObjectRow;
}

function recordOf(line: string, path: string, number: number): BackupRecord {
  const record = fieldsOf(jsonOf(line, path));
  const [kind = ""] = Object.keys(record);
  let known: BackupRecord;
  try {
    known = knownRecord(kind, fieldsOf(record[kind]));
  } catch (cause) {
    throw wrongLine(path, number, messageOf(cause), cause);
  }
  // A newer release may have stored more about a version than this release would restore.
  if (!holds(JSON.parse(JSON.stringify(lineOf(known))), record))
    throw wrongLine(
      path,
      number,
      "it has a field that this release does not know: use the release that wrote it",
    );
  return known;
}

function knownRecord(kind: string, fields: Fields): BackupRecord {
  if (kind === "version") return { version: versionOf(fields) };
  if (kind === "key") return { key: keyOf(fields) };
  if (kind === "alias") return { alias: aliasOf(fields) };
  if (kind === "object") return { object: objectOf(fields) };
  return {};
}

/** Returns the object of a line, as it is written. */
const lineOf = ({ version, ...others }: BackupRecord): object =>
  version === undefined ? others : { version: versionRecord(version) };

/** Returns true if everything in `part` is also in `whole`. */
function holds(whole: unknown, part: unknown): boolean {
  if (typeof part !== "object" || part === null) return Object.is(whole, part);
  const fields = fieldsOf(whole);
  return Object.entries(part).every(
    ([name, value]) => Object.hasOwn(fields, name) && holds(fields[name], value),
  );
}

const wrongLine = (path: string, number: number, what: string, cause?: unknown): ClavigerError =>
  new ClavigerError("KeyringCorrupt", `backup ${path}, line ${number}: ${what}`, { cause });

/** Returns a version in the form of a KeyVersion's spec. */
function versionRecord({ sealed, ownership, ...identity }: VersionRow) {
  return {
    ...identity,
    seal: sealedRecord(sealed),
    ...(ownership && { ownership: { revision: ownership.revision, ...sealedRecord(ownership.proof) } }),
  };
}

const sealedRecord = ({ provider, rootKeyId, blob }: Sealed) => ({
  provider,
  rootKeyId,
  sealed: Buffer.from(blob).toString("base64"),
});

function versionOf(fields: Fields): VersionRow {
  const masterKey = fieldsOf(fields.masterKey);
  const seal = fieldsOf(fields.seal);
  const version = toVersionRow({
    version_id: scalar(fields.versionId),
    key_id: scalar(fields.keyId),
    number: scalar(fields.number),
    namespace: scalar(masterKey.namespace),
    name: scalar(masterKey.name),
    key_spec: scalar(fields.keySpec),
    key_usage: scalar(fields.keyUsage),
    origin: scalar(fields.origin),
    material_id: scalar(fields.materialId),
    valid_to: scalar(fields.validTo),
    seal_provider: scalar(seal.provider),
    root_key_id: scalar(seal.rootKeyId),
    sealed: bytesOf(seal.sealed),
  });
  return fields.ownership === undefined ? version : { ...version, ownership: ownershipOf(fields.ownership) };
}

function ownershipOf(value: unknown): Ownership {
  const fields = fieldsOf(value);
  return toOwnership({
    revision: scalar(fields.revision),
    proof_provider: scalar(fields.provider),
    root_key_id: scalar(fields.rootKeyId),
    proof: bytesOf(fields.sealed),
  });
}

const bytesOf = (value: unknown): Buffer<ArrayBuffer> | null =>
  typeof value === "string" ? Buffer.from(value, "base64") : null;

function keyOf(fields: Fields): KeyRow {
  const current = fieldsOf(fields.current);
  return toKeyRow({
    namespace: scalar(fields.namespace),
    name: scalar(fields.name),
    key_id: scalar(fields.keyId),
    enabled: fields.enabled === true ? 1 : 0,
    deletion_date: scalar(fields.deletionDate),
    former_key_ids: Array.isArray(fields.formerKeyIds) ? fields.formerKeyIds.join(" ") : null,
    current_version_id: scalar(current.versionId),
    current_number: scalar(current.number),
  });
}

function aliasOf(fields: Fields): AliasRow {
  return toAliasRow({
    namespace: scalar(fields.namespace),
    name: scalar(fields.name),
    master_key: scalar(fields.masterKey),
    former_targets: Array.isArray(fields.formerTargets)
      ? fields.formerTargets.map(formerTargetText).join(" ")
      : null,
  });
}

function formerTargetText(target: unknown): string {
  const { keyId, number, versionId } = fieldsOf(target);
  return [keyId, number, versionId].map(String).join(":");
}

function objectOf({ kind, namespace, name, json }: Fields): ObjectRow {
  return toObjectRow({
    kind: scalar(kind),
    namespace: scalar(namespace),
    name: scalar(name),
    json: scalar(json),
  });
}

type Fields = Readonly<Record<string, unknown>>;

const scalar = (value: unknown): SQLOutputValue =>
  typeof value === "string" || typeof value === "number" ? value : null;

function jsonOf(line: string, path: string): unknown {
  const value = parsedJson(line);
  if (value !== undefined) return value;
  throw new ClavigerError("KeyringCorrupt", `backup ${path} has a line that is not JSON: use another copy`);
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
