import { ClavigerError, InvalidCiphertext } from "../errors.ts";
import { canonicalContext, type EncryptionContext } from "./context.ts";
import { type KeyId, uuidFromBytes, uuidToBytes, type VersionId } from "./ids.ts";
import { freshSalt } from "./salt.ts";
import type { Secret } from "./secret.ts";
import {
  COMMITMENT_BYTES,
  decryptOnce,
  deriveMessageKey,
  encryptInto,
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

/** No door accepts more than 4096 bytes of plaintext; longer input is refused before it is read. */
const MAX_PLAINTEXT_BYTES = 4096;
export const MAX_MESSAGE_BYTES = MAX_PLAINTEXT_BYTES + OVERHEAD_BYTES;

/** The bytes that all messages of a version begin with. */
export interface MessagePrefix {
  readonly bytes: Buffer;
  /** The ids of key and version in it, as the `ids` of a message. */
  readonly ids: string;
}

/** The version that encrypts, and the purpose. */
export interface MessageScope {
  readonly keyId: KeyId;
  readonly versionId: VersionId;
  readonly material: Secret;
  readonly purpose: Purpose;
  readonly context: EncryptionContext;
  /** The result of `prefixOf`, if it is known. */
  readonly prefix?: MessagePrefix;
}

/** Returns the bytes that all messages of a version begin with. */
export function prefixOf({ keyId, versionId }: Pick<MessageScope, "keyId" | "versionId">): MessagePrefix {
  const ids = Buffer.concat([uuidToBytes(keyId), uuidToBytes(versionId)]);
  return { bytes: Buffer.concat([Uint8Array.of(FORMAT, SUITE), ids]), ids: ids.toString("latin1") };
}

/** A message's parts: views of its bytes, not copies. Nothing in it is decrypted or trusted yet. */
export class Message {
  readonly #bytes: Buffer;

  /** Takes bytes that `parseMessage` has accepted. */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /**
   * The ids of the key and of the version, 32 bytes as latin1 text, so that a version is found without
   * creating two UUIDs.
   */
  get ids(): string {
    return this.#bytes.toString("latin1", KEY_ID_AT, SALT_AT);
  }

  get keyId(): KeyId {
    return uuidFromBytes(this.#bytes.subarray(KEY_ID_AT, VERSION_ID_AT)) as KeyId;
  }

  get versionId(): VersionId {
    return uuidFromBytes(this.#bytes.subarray(VERSION_ID_AT, SALT_AT)) as VersionId;
  }

  get header(): Buffer {
    return this.#bytes.subarray(0, HEADER_BYTES);
  }

  get salt(): Buffer {
    return this.#bytes.subarray(SALT_AT, COMMITMENT_AT);
  }

  get commitment(): Buffer {
    return this.#bytes.subarray(COMMITMENT_AT, HEADER_BYTES);
  }

  get sealed(): Buffer {
    return this.#bytes.subarray(HEADER_BYTES);
  }
}

/**
 * Encrypts and decrypts the messages of one scope. The bytes that all of them share are made once:
 * the first 34 of a message, and the canonical form of the context.
 */
export class MessageCipher {
  /** The same text as the `ids` of its messages. */
  readonly ids: string;
  readonly #prefix: Buffer;
  readonly #material: Secret;
  readonly #purpose: Purpose;
  readonly #context: Buffer;

  /** Throws InvalidArgument for a context that has no canonical form. */
  constructor(scope: MessageScope) {
    const { material, purpose, context, prefix = prefixOf(scope) } = scope;
    this.ids = prefix.ids;
    this.#prefix = prefix.bytes;
    this.#material = material;
    this.#purpose = purpose;
    this.#context = canonicalContext(context);
  }

  /** Encrypts `plaintext` (0–4096 bytes). Throws InvalidArgument for more. */
  encrypt(plaintext: Uint8Array): Buffer {
    return this.encryptWithSalt(plaintext, freshSalt());
  }

  /** For test vectors, which need a known salt. A salt used twice under one material breaks AES-GCM. */
  encryptWithSalt(plaintext: Uint8Array, salt: Uint8Array): Buffer {
    if (plaintext.length > MAX_PLAINTEXT_BYTES) {
      // A longer message would be refused by the reader, so nobody could ever open it.
      throw new ClavigerError("InvalidArgument", `a plaintext has at most ${MAX_PLAINTEXT_BYTES} bytes`);
    }
    const derived = deriveMessageKey(this.#material, salt, this.#purpose);
    try {
      const message = Buffer.allocUnsafe(OVERHEAD_BYTES + plaintext.length);
      message.set(this.#prefix);
      message.set(salt, SALT_AT);
      message.set(derived.commitment, COMMITMENT_AT);
      const aad = this.#associatedData(message.subarray(0, HEADER_BYTES));
      encryptInto(message, HEADER_BYTES, derived.key, aad, plaintext);
      return message;
    } finally {
      derived.key.fill(0);
    }
  }

  /** Decrypts a parsed message. Throws InvalidCiphertext: WrongKey, CommitmentMismatch or TagMismatch. */
  decrypt(message: Message): Buffer {
    if (message.ids !== this.ids) throw new InvalidCiphertext("WrongKey");
    const derived = deriveMessageKey(this.#material, message.salt, this.#purpose);
    try {
      return decryptOnce(derived, message.commitment, this.#associatedData(message.header), message.sealed);
    } finally {
      derived.key.fill(0);
    }
  }

  #associatedData(header: Buffer): Buffer {
    return this.#context.length === 0 ? header : Buffer.concat([header, this.#context]);
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
  return new Message(
    Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
  );
}

/** Encrypts one message; a scope that is used again is worth a MessageCipher. Throws InvalidArgument. */
export const encryptMessage = (scope: MessageScope, plaintext: Uint8Array): Buffer =>
  new MessageCipher(scope).encrypt(plaintext);

/** Encrypts one message with a known salt, for test vectors. */
export const encryptWithSalt = (scope: MessageScope, plaintext: Uint8Array, salt: Uint8Array): Buffer =>
  new MessageCipher(scope).encryptWithSalt(plaintext, salt);

/** Decrypts one message. Throws InvalidCiphertext; InvalidArgument for a context that has no canonical form. */
export const decryptMessage = (scope: MessageScope, message: Message): Buffer =>
  new MessageCipher(scope).decrypt(message);
