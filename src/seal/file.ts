import { hkdfSync, randomBytes } from "node:crypto";
import { Secret } from "../crypto/secret.ts";
import {
  COMMITMENT_BYTES,
  decryptOnce,
  deriveMessageKey,
  encryptOnce,
  SALT_BYTES,
  TAG_BYTES,
} from "../crypto/suite1.ts";
import { ClavigerError, InvalidCiphertext } from "../errors.ts";
import type { Seal, Sealed, SubkeyLabel, Unsealed } from "./seal.ts";

/**
 * The `file` seal: material wrapped under a 32-byte root key with suite 1.
 *
 *   0       1       2              18        50              82
 *   format  suite   rootKeyId(16)  salt(32)  commitment(32)  ciphertext ‖ tag(16)
 *
 * AAD = bytes 0..82 ‖ the caller's AAD.
 */
const FORMAT = 1;
const SUITE = 1;
const ROOT_KEY_ID_BYTES = 16;
const SALT_AT = 2 + ROOT_KEY_ID_BYTES;
const COMMITMENT_AT = SALT_AT + SALT_BYTES;
const HEADER_BYTES = COMMITMENT_AT + COMMITMENT_BYTES;
/** RSA-4096 in PKCS #8, the longest material, is under 2.5 KiB. */
const MAX_SEALED_BYTES = 8192;

const SUBKEY_BYTES = 32;
const PROVIDER = "file";

/** Creates a seal whose root key is `rootKey` (32 bytes). */
export function fileSeal(rootKey: Secret): Seal {
  const rootKeyId = identify(rootKey);
  return {
    provider: PROVIDER,
    rootKeyId,
    wrap: async (material, aad) => ({
      provider: PROVIDER,
      rootKeyId,
      blob: wrap(rootKey, rootKeyId, material, aad),
    }),
    unwrap: async (sealed, aad) => unwrap(rootKey, rootKeyId, sealed, aad),
    derive: (label) => derive(rootKey, label),
  };
}

/**
 * Returns a public name for a root key: 16 bytes of HKDF, which reveal nothing about the key (RFC 5869,
 * section 3.2).
 */
function identify(rootKey: Secret): string {
  const info = "claviger/v1/root-key-id";
  const id = hkdfSync("sha256", rootKey.exposeSecretBytes(), new Uint8Array(), info, ROOT_KEY_ID_BYTES);
  return Buffer.from(id).toString("hex");
}

function derive(rootKey: Secret, label: SubkeyLabel): Secret {
  const info = `claviger/v1/${label}`;
  return Secret.take(
    new Uint8Array(hkdfSync("sha256", rootKey.exposeSecretKey(), new Uint8Array(), info, SUBKEY_BYTES)),
  );
}

function wrap(rootKey: Secret, rootKeyId: string, material: Secret, aad: Uint8Array): Buffer {
  if (HEADER_BYTES + material.size + TAG_BYTES > MAX_SEALED_BYTES) {
    // unwrap would refuse it, so nobody could ever open it.
    throw new ClavigerError("InvalidArgument", `material of ${material.size} bytes is too long to be sealed`);
  }
  const salt = randomBytes(SALT_BYTES);
  const derived = deriveMessageKey(rootKey, salt, "seal-file");
  try {
    const header = Buffer.concat([
      Uint8Array.of(FORMAT, SUITE),
      Buffer.from(rootKeyId, "hex"),
      salt,
      derived.commitment,
    ]);
    const sealed = encryptOnce(derived.key, Buffer.concat([header, aad]), material.exposeSecretBytes());
    return Buffer.concat([header, sealed]);
  } finally {
    derived.key.fill(0);
  }
}

function unwrap(rootKey: Secret, rootKeyId: string, sealed: Sealed, aad: Uint8Array): Unsealed {
  if (sealed.provider !== PROVIDER || sealed.rootKeyId !== rootKeyId) return { notMine: true };
  const { blob } = sealed;
  if (blob.length < HEADER_BYTES + TAG_BYTES || blob.length > MAX_SEALED_BYTES) {
    throw new ClavigerError("SealMismatch", `sealed material of ${blob.length} bytes is damaged`);
  }
  if (blob[0] !== FORMAT || blob[1] !== SUITE) {
    throw new ClavigerError("SealMismatch", "sealed material has a format that this release does not know");
  }
  const named = Buffer.from(blob.subarray(2, SALT_AT)).toString("hex");
  if (named !== rootKeyId) {
    // The record names our root key, so another root key would not help.
    throw new ClavigerError(
      "SealMismatch",
      "sealed material names another root key than its record: it was altered",
    );
  }
  const derived = deriveMessageKey(rootKey, blob.subarray(SALT_AT, COMMITMENT_AT), "seal-file");
  try {
    const header = blob.subarray(0, HEADER_BYTES);
    const commitment = blob.subarray(COMMITMENT_AT, HEADER_BYTES);
    const body = blob.subarray(HEADER_BYTES);
    return { material: Secret.take(decryptOnce(derived, commitment, Buffer.concat([header, aad]), body)) };
  } catch (cause) {
    if (!(cause instanceof InvalidCiphertext)) throw cause;
    throw new ClavigerError(
      "SealMismatch",
      "sealed material does not open under the root key that it names: it was altered or belongs to another version",
      { cause },
    );
  } finally {
    derived.key.fill(0);
  }
}
