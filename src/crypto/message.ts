import { ClavigerError, InvalidCiphertext } from "../errors.ts";
import { canonicalContext, type EncryptionContext } from "./context.ts";
import { type KeyId, uuidFromBytes, uuidToBytes, type VersionId } from "./ids.ts";
import { freshSalt } from "./salt.ts";
import type { Secret } from "./secret.ts";
import {
  COMMITMENT_BYTES,
  decryptOnce,
  deriveMessageKey,
  encryptOnce,
  type Purpose,
  SALT_BYTES,
  TAG_BYTES,
} from "./suite1.ts";

/**
 * The one format of every symmetric ciphertext of claviger:
 *
 *   0       1       2          18             34        66              98
 *   format  suite   keyId(16)  versionId(16)  salt(32)  commitment(32)  ciphertext ‖ tag(16)
 *
 * AAD = bytes 0..98 ‖ canonical encryption context. 114 bytes longer than the plaintext.
 */
const FORMAT = 1;
const SUITE = 1;
const KEY_ID_AT = 2;
const VERSION_ID_AT = 18;
const SALT_AT = 34;
const COMMITMENT_AT = SALT_AT + SALT_BYTES;
export const HEADER_BYTES = COMMITMENT_AT + COMMITMENT_BYTES;
export const OVERHEAD_BYTES = HEADER_BYTES + TAG_BYTES;

/** No door takes more than 4096 bytes of plaintext; longer input is refused before it is read. */
const MAX_PLAINTEXT_BYTES = 4096;
export const MAX_MESSAGE_BYTES = MAX_PLAINTEXT_BYTES + OVERHEAD_BYTES;

/** Which key and version a message names, and its parts (views of the input, not copies). */
export interface Message {
  readonly keyId: KeyId;
  readonly versionId: VersionId;
  readonly header: Uint8Array;
  readonly salt: Uint8Array;
  readonly commitment: Uint8Array;
  readonly sealed: Uint8Array;
}

/** The version that encrypts, and what for. */
export interface MessageScope {
  readonly keyId: KeyId;
  readonly versionId: VersionId;
  readonly material: Secret;
  readonly purpose: Purpose;
  readonly context: EncryptionContext;
}

/** Encrypts `plaintext` (0–4096 bytes) under a version's material. Throws InvalidArgument for more. */
export function encryptMessage(scope: MessageScope, plaintext: Uint8Array): Buffer {
  return encryptWithSalt(scope, plaintext, freshSalt());
}

/** For test vectors, which need a known salt. A salt used twice under one material breaks AES-GCM. */
export function encryptWithSalt(scope: MessageScope, plaintext: Uint8Array, salt: Uint8Array): Buffer {
  if (plaintext.length > MAX_PLAINTEXT_BYTES) {
    // What is longer would be refused when it is read: nobody could ever open it.
    throw new ClavigerError("InvalidArgument", `a plaintext has at most ${MAX_PLAINTEXT_BYTES} bytes`);
  }
  const derived = deriveMessageKey(scope.material, salt, scope.purpose);
  try {
    const header = Buffer.concat([
      Uint8Array.of(FORMAT, SUITE),
      uuidToBytes(scope.keyId),
      uuidToBytes(scope.versionId),
      salt,
      derived.commitment,
    ]);
    return Buffer.concat([
      header,
      encryptOnce(derived.key, associatedData(header, scope.context), plaintext),
    ]);
  } finally {
    derived.key.fill(0);
  }
}

/**
 * Reads a message's header; nothing is decrypted or trusted yet.
 * Throws InvalidCiphertext: Truncated, Oversized, UnknownFormat or UnknownSuite.
 */
export function parseMessage(bytes: Uint8Array): Message {
  if (bytes.length < OVERHEAD_BYTES) throw new InvalidCiphertext("Truncated");
  if (bytes.length > MAX_MESSAGE_BYTES) throw new InvalidCiphertext("Oversized");
  if (bytes[0] !== FORMAT) throw new InvalidCiphertext("UnknownFormat");
  if (bytes[1] !== SUITE) throw new InvalidCiphertext("UnknownSuite");
  return {
    keyId: uuidFromBytes(bytes.subarray(KEY_ID_AT, VERSION_ID_AT)) as KeyId,
    versionId: uuidFromBytes(bytes.subarray(VERSION_ID_AT, SALT_AT)) as VersionId,
    header: bytes.subarray(0, HEADER_BYTES),
    salt: bytes.subarray(SALT_AT, COMMITMENT_AT),
    commitment: bytes.subarray(COMMITMENT_AT, HEADER_BYTES),
    sealed: bytes.subarray(HEADER_BYTES),
  };
}

/**
 * Decrypts a parsed message under the version that it names.
 * Throws InvalidCiphertext: WrongKey, CommitmentMismatch or TagMismatch.
 */
export function decryptMessage(scope: MessageScope, message: Message): Buffer {
  if (message.keyId !== scope.keyId || message.versionId !== scope.versionId) {
    throw new InvalidCiphertext("WrongKey");
  }
  const derived = deriveMessageKey(scope.material, message.salt, scope.purpose);
  try {
    const aad = associatedData(message.header, scope.context);
    return decryptOnce(derived, message.commitment, aad, message.sealed);
  } finally {
    derived.key.fill(0);
  }
}

function associatedData(header: Uint8Array, context: EncryptionContext): Buffer {
  return Buffer.concat([header, canonicalContext(context)]);
}
