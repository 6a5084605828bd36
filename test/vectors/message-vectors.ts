import { canonicalContext, type EncryptionContext, MAX_CONTEXT_BYTES } from "../../src/crypto/context.ts";
import { HEADER_BYTES, MAX_MESSAGE_BYTES, OVERHEAD_BYTES } from "../../src/crypto/message.ts";
import { Secret } from "../../src/crypto/secret.ts";
import { deriveMessageKey, encryptOnce } from "../../src/crypto/suite1.ts";
import { contextOf, LONE_SURROGATE, UTF16_TRAP } from "./context-vectors.ts";
import { counting, flipped, hex, ids, OTHER_MATERIAL, replaced, SEED, unhex } from "./inputs.ts";
import {
  AWS,
  encrypted,
  KMS,
  type MessageVector,
  type Opener,
  opens,
  refused,
  SESSION,
  SESSION_JSON,
  scopeOf,
} from "./message-vector.ts";

/** The offsets of the parts of a message. */
const KEY_ID_AT = 2;
const VERSION_ID_AT = 18;
const SALT_AT = 34;
const COMMITMENT_AT = 66;

export function messageVectors(): MessageVector[] {
  return [...opening(), ...malformed(), ...otherKeys(), ...altered(), ...otherContexts()];
}

function opening(): MessageVector[] {
  return [
    opens("a data key seed of 32 bytes opens", KMS, SEED),
    opens("an empty plaintext opens", KMS, new Uint8Array()),
    opens("one byte opens", KMS, Uint8Array.of(0xa5)),
    opens("4096 bytes, the most, open", AWS, counting(4096, 0)),
    opens("a message of the AWS door opens with its context", AWS, SEED),
    opens(
      "a context given in another order opens",
      { ...AWS, context: { region: "local", tenant: "alpha" } },
      SEED,
    ),
    opens("a context sorted by UTF-8 and not by UTF-16 opens", { ...AWS, context: UTF16_TRAP }, SEED),
    opens("an empty name and value are a context", { ...AWS, context: { "": "" } }, SEED),
    opens("a session token opens with its account", SESSION, SESSION_JSON),
  ];
}

function malformed(): MessageVector[] {
  const message = encrypted("malformed", KMS);
  const truncated = [0, 1, OVERHEAD_BYTES - 1].map((length) =>
    refused(`${length} bytes are too few`, "Truncated", KMS, message.subarray(0, length)),
  );
  const longest = encrypted("oversized", KMS, counting(4096, 0));
  const first = (at: number, value: number) => replaced(message, at, Uint8Array.of(value));
  return [
    ...truncated,
    refused(
      `${MAX_MESSAGE_BYTES + 1} bytes are too many`,
      "Oversized",
      KMS,
      Buffer.concat([longest, Uint8Array.of(0)]),
    ),
    refused("format 0 is unknown", "UnknownFormat", KMS, first(0, 0)),
    refused("format 2 is unknown", "UnknownFormat", KMS, first(0, 2)),
    refused("suite 0 is unknown", "UnknownSuite", KMS, first(1, 0)),
    refused("suite 2 is unknown", "UnknownSuite", KMS, first(1, 2)),
  ];
}

function otherKeys(): MessageVector[] {
  const message = encrypted("other keys", KMS);
  const relabelled = replaced(message, KEY_ID_AT, unhex(ids.otherKey.replaceAll("-", "")));
  const otherMaterial = { ...KMS, material: hex(OTHER_MATERIAL) };
  const salt = message.subarray(SALT_AT, COMMITMENT_AT);
  const { commitment } = deriveMessageKey(Secret.take(Buffer.from(OTHER_MATERIAL)), salt, KMS.purpose);
  return [
    refused("a message of another key is refused", "WrongKey", { ...KMS, keyId: ids.otherKey }, message),
    refused(
      "a message of another version is refused",
      "WrongKey",
      { ...KMS, versionId: ids.otherVersion },
      message,
    ),
    refused("a changed byte of the keyId is refused", "WrongKey", KMS, flipped(message, KEY_ID_AT)),
    refused("a changed byte of the versionId is refused", "WrongKey", KMS, flipped(message, VERSION_ID_AT)),
    refused(
      "a message relabelled for another key of the same material is refused",
      "TagMismatch",
      { ...KMS, keyId: ids.otherKey },
      relabelled,
    ),
    refused("other material is refused by the commitment", "CommitmentMismatch", otherMaterial, message),
    refused(
      "a commitment made for other material does not open the ciphertext",
      "TagMismatch",
      otherMaterial,
      replaced(message, COMMITMENT_AT, commitment),
    ),
    refused(
      "a KMS v2 message does not open at the AWS door",
      "CommitmentMismatch",
      { ...KMS, purpose: "aws-kms" },
      message,
    ),
    refused(
      "a message of the AWS door does not open at the KMS v2 door",
      "CommitmentMismatch",
      KMS,
      encrypted("doors", { ...AWS, context: {} }),
    ),
    refused(
      "a session that was encrypted at the AWS door is no session token",
      "CommitmentMismatch",
      SESSION,
      encrypted("forged session", { ...SESSION, purpose: "aws-kms" }, SESSION_JSON),
    ),
    refused(
      "a session token of another account is refused",
      "TagMismatch",
      SESSION,
      encrypted("other account", { ...SESSION, context: { account: "111111111111" } }, SESSION_JSON),
    ),
  ];
}

function altered(): MessageVector[] {
  const message = encrypted("altered", KMS);
  const end = message.length;
  return [
    refused("a changed byte of the salt is refused", "CommitmentMismatch", KMS, flipped(message, SALT_AT)),
    refused(
      "a changed byte of the commitment is refused",
      "CommitmentMismatch",
      KMS,
      flipped(message, HEADER_BYTES - 1),
    ),
    refused(
      "a changed first byte of the ciphertext is refused",
      "TagMismatch",
      KMS,
      flipped(message, HEADER_BYTES),
    ),
    refused("a changed last byte of the ciphertext is refused", "TagMismatch", KMS, flipped(message, -17)),
    refused("a changed first byte of the tag is refused", "TagMismatch", KMS, flipped(message, -16)),
    refused("a changed last byte of the tag is refused", "TagMismatch", KMS, flipped(message, -1)),
    refused("a tag of zeros is refused", "TagMismatch", KMS, replaced(message, end - 16, new Uint8Array(16))),
    refused("a message without its last byte is refused", "TagMismatch", KMS, message.subarray(0, end - 1)),
    refused(
      "a message with a byte more is refused",
      "TagMismatch",
      KMS,
      Buffer.concat([message, Uint8Array.of(0)]),
    ),
    refused("a message cut to 114 bytes is refused", "TagMismatch", KMS, message.subarray(0, OVERHEAD_BYTES)),
  ];
}

function otherContexts(): MessageVector[] {
  const message = encrypted("other contexts", AWS);
  const bare = encrypted("no context", { ...AWS, context: {} });
  const moved = encrypted("moved", { ...AWS, context: { ab: "c" } });
  const under = (context: EncryptionContext): Opener => ({ ...AWS, context });
  return [
    refused(
      "a wrong value in the context is refused",
      "TagMismatch",
      under({ ...AWS.context, tenant: "beta" }),
      message,
    ),
    refused("a missing pair in the context is refused", "TagMismatch", under({ tenant: "alpha" }), message),
    refused("a missing context is refused", "TagMismatch", under({}), message),
    refused(
      "an extra pair in the context is refused",
      "TagMismatch",
      under({ ...AWS.context, more: "" }),
      message,
    ),
    refused("a context for a message made without one is refused", "TagMismatch", under({ "": "" }), bare),
    refused("a byte moved from the name into the value is refused", "TagMismatch", under({ a: "bc" }), moved),
    refused(
      "a context that was sorted by UTF-16 is refused",
      "TagMismatch",
      under(UTF16_TRAP),
      sortedByUtf16(),
    ),
    refused(
      "a lone surrogate in a name is refused before it is encoded",
      "InvalidArgument",
      under({ [LONE_SURROGATE]: "value" }),
      message,
    ),
    refused(
      "a lone surrogate in a value is refused before it is encoded",
      "InvalidArgument",
      under({ name: LONE_SURROGATE }),
      message,
    ),
    refused(
      "a context past its limit is refused",
      "InvalidArgument",
      under(contextOf(MAX_CONTEXT_BYTES + 1)),
      message,
    ),
  ];
}

/** Returns the encoding of UTF16_TRAP by an implementation with the usual mistake. */
function sortedByUtf16(): Buffer {
  const opener = { ...AWS, context: UTF16_TRAP };
  const header = encrypted("sorted by UTF-16", opener).subarray(0, HEADER_BYTES);
  const pairs = Object.entries(UTF16_TRAP).sort(([a], [b]) => (a < b ? -1 : 1));
  const aad = Buffer.concat([header, ...pairs.map(([name, value]) => canonicalContext({ [name]: value }))]);
  const { key } = deriveMessageKey(
    scopeOf(opener).material,
    header.subarray(SALT_AT, COMMITMENT_AT),
    opener.purpose,
  );
  return Buffer.concat([header, encryptOnce(key, aad, SEED)]);
}
