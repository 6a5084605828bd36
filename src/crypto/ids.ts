import { createHash, randomUUID } from "node:crypto";
import { ClavigerError } from "../errors.ts";

/** A MasterKey's own id: a lowercase UUID, created once. It outlives Kubernetes uids. */
export type KeyId = string & { readonly __brand: "KeyId" };

/** The id of one version of a key: a lowercase UUID, never reused. */
export type VersionId = string & { readonly __brand: "VersionId" };

/** The key_id of KMS v2: 32 lowercase hex digits, not secret. */
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

/** Returns a UUID's 16 bytes. */
export function uuidToBytes(uuid: KeyId | VersionId): Buffer {
  return Buffer.from(uuid.replaceAll("-", ""), "hex");
}

/** Returns the UUID of 16 bytes. Any 16 bytes are accepted; the version nibble is not checked. */
export function uuidFromBytes(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/**
 * Returns the KMS v2 key_id of a version: the first 16 bytes, in hex, of
 * SHA-256("claviger/v1/key_id" ‖ keyId (16 bytes) ‖ versionId (16 bytes)).
 *
 * It is a hash of random ids, so it says nothing about the material, is never reused for another version and
 * never comes back (KEP-3299 asks for all three).
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
