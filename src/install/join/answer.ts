import { createHash, diffieHellman, hkdfSync, type KeyObject } from "node:crypto";
import { freshSalt } from "../../crypto/salt.ts";
import { Secret } from "../../crypto/secret.ts";
import {
  COMMITMENT_BYTES,
  decryptOnce,
  deriveMessageKey,
  encryptOnce,
  SALT_BYTES,
  TAG_BYTES,
} from "../../crypto/suite1.ts";
import { ClavigerError, InvalidCiphertext } from "../../errors.ts";
import { oneTimeKeyPair, PUBLIC_KEY_BYTES, publicKeyOf } from "./request.ts";
import { Cursor } from "./wire.ts";

/**
 * The answer to a request:
 *
 *   0       1       2              34               66        98              130
 *   format  suite   publicKey(32)  requestHash(32)  salt(32)  commitment(32)  ciphertext ‖ tag(16)
 *
 *   material = HKDF-SHA-256(ikm = X25519, salt = requestHash, info = "claviger/v1/join" ‖ publicKey, 32)
 *
 * Then suite 1 with the purpose `join-answer`; AAD = bytes 0..130. `publicKey` is a key that the answering
 * node uses once and forgets. `requestHash` is the SHA-256 of the request, the requester's public key in it,
 * so that an answer opens for its request only.
 */
const FORMAT = 1;
const SUITE = 1;
const HASH_BYTES = 32;
const KEY_BYTES = 32;
const HEADER_BYTES = 2 + PUBLIC_KEY_BYTES + HASH_BYTES + SALT_BYTES + COMMITMENT_BYTES;

/** Encrypts `plaintext` for the node that made the request. Throws InvalidArgument for a weak public key. */
export function sealAnswer(request: Buffer, publicKey: Buffer, plaintext: Uint8Array): Buffer {
  const own = oneTimeKeyPair();
  const hash = hashOf(request);
  using material = materialOf(own.privateKey, publicKeyOf(publicKey), hash, own.publicKey);
  const salt = freshSalt();
  const derived = deriveMessageKey(material, salt, "join-answer");
  try {
    const head = [Uint8Array.of(FORMAT, SUITE), own.publicKey, hash, salt, derived.commitment];
    const header = Buffer.concat(head);
    return Buffer.concat([header, encryptOnce(derived.key, header, plaintext)]);
  } finally {
    derived.key.fill(0);
  }
}

/** Opens the answer to this request. Throws InvalidArgument if it is another request's, or was altered. */
export function openAnswer(answer: Buffer, request: Buffer, privateKey: KeyObject): Secret {
  const cursor = new Cursor(answer, malformed);
  if (cursor.take(1)[0] !== FORMAT || cursor.take(1)[0] !== SUITE) throw malformed();
  const publicKey = cursor.take(PUBLIC_KEY_BYTES);
  const hash = hashOf(request);
  if (!cursor.take(HASH_BYTES).equals(hash)) throw otherRequest();
  const salt = cursor.take(SALT_BYTES);
  const commitment = cursor.take(COMMITMENT_BYTES);
  const sealed = cursor.rest();
  if (sealed.length < TAG_BYTES) throw malformed();
  using material = materialOf(privateKey, publicKeyOf(publicKey), hash, publicKey);
  const derived = deriveMessageKey(material, salt, "join-answer");
  try {
    return Secret.take(decryptOnce(derived, commitment, answer.subarray(0, HEADER_BYTES), sealed));
  } catch (error) {
    throw error instanceof InvalidCiphertext ? malformed() : error;
  } finally {
    derived.key.fill(0);
  }
}

const hashOf = (request: Buffer): Buffer => createHash("sha256").update(request).digest();

function materialOf(privateKey: KeyObject, publicKey: KeyObject, hash: Buffer, ephemeral: Buffer): Secret {
  const info = Buffer.concat([Buffer.from("claviger/v1/join"), ephemeral]);
  using shared = Secret.take(agree(privateKey, publicKey));
  const material = hkdfSync("sha256", shared.exposeSecretBytes(), hash, info, KEY_BYTES);
  return Secret.take(new Uint8Array(material));
}

/** OpenSSL refuses a shared secret of zeros, to which public keys of small order lead (RFC 7748, section 6.1). */
function agree(privateKey: KeyObject, publicKey: KeyObject): Buffer {
  try {
    return diffieHellman({ privateKey, publicKey });
  } catch {
    throw malformed();
  }
}

const malformed = (): ClavigerError =>
  new ClavigerError(
    "InvalidArgument",
    "the request or answer is damaged, was altered, or was made by another release of claviger: begin again with claviger join --request",
  );

const otherRequest = (): ClavigerError =>
  new ClavigerError(
    "InvalidArgument",
    "this answer is for another request than this node's last one: carry the last request to a node of the cluster and have it answered there",
  );
