import { createHash, randomUUID } from "node:crypto";
import { ClavigerError } from "../errors.ts";

/** A MasterKey's own id: a lowercase UUID, minted once, outliving Kubernetes uids. */
export type KeyId = string & { readonly __brand: "KeyId" };

/** The id of one version of a key: a lowercase UUID, never reused. */
export type VersionId = string & { readonly __brand: "VersionId" };

/** What KMS v2 calls key_id: 32 lowercase hex digits, not secret. */
export type KmsKeyId = string & { readonly __brand: "KmsKeyId" };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const KEY_ID_DOMAIN = "claviger/v1/key_id";
const KEY_ID_BYTES = 16;

export const newKeyId = (): KeyId => randomUUID() as KeyId;
export const newVersionId = (): VersionId => randomUUID() as VersionId;

/** Checks outside text. Throws InvalidArgument for anything but a lowercase UUID. */
export function parseKeyId(text: string): KeyId {
  return checkedUuid(text, "keyId") as KeyId;
}

/** Checks outside text. Throws InvalidArgument for anything but a lowercase UUID. */
export function parseVersionId(text: string): VersionId {
  return checkedUuid(text, "versionId") as VersionId;
}

function checkedUuid(text: string, field: string): string {
  if (!UUID.test(text)) throw new ClavigerError("InvalidArgument", `${field} must be a lowercase UUID`);
  return text;
}

/** A UUID's 16 bytes. */
export function uuidToBytes(uuid: KeyId | VersionId): Buffer {
  return Buffer.from(uuid.replaceAll("-", ""), "hex");
}

/** The UUID of 16 bytes. Any 16 bytes are one: a version nibble is not asked for. */
export function uuidFromBytes(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/**
 * The KMS v2 key_id of a version: the first 16 bytes, in hex, of
 * SHA-256("claviger/v1/key_id" ‖ keyId (16 bytes) ‖ versionId (16 bytes)).
 *
 * A hash of random ids, so it says nothing of the material, is never reused for
 * another version and never comes back (KEP-3299 asks for all three).
 */
export function kmsKeyId(keyId: KeyId, versionId: VersionId): KmsKeyId {
  return createHash("sha256")
    .update(KEY_ID_DOMAIN)
    .update(uuidToBytes(keyId))
    .update(uuidToBytes(versionId))
    .digest()
    .subarray(0, KEY_ID_BYTES)
    .toString("hex") as KmsKeyId;
}
