import { constants, type KeyObject, privateDecrypt, publicEncrypt } from "node:crypto";
import { ClavigerError, InvalidCiphertext } from "../../errors.ts";
import { Secret } from "../secret.ts";
import { type AsymmetricSpec, keyTypeOf } from "./key-types.ts";
import { privateKeyOf, publicKeyOf } from "./private-key.ts";

/** The hash of each RSA-OAEP algorithm of AWS KMS. MGF1 uses the same hash, and there is no label. */
const hashes: ReadonlyMap<string, { readonly name: string; readonly bytes: number }> = new Map([
  ["RSAES_OAEP_SHA_1", { name: "sha1", bytes: 20 }],
  ["RSAES_OAEP_SHA_256", { name: "sha256", bytes: 32 }],
]);

/**
 * Encrypts with RSA-OAEP (RFC 8017, section 7.1). Throws InvalidArgument if the key or the algorithm is not
 * RSA's, or if the plaintext is too long for the key.
 */
export function encryptOaep(
  spec: AsymmetricSpec,
  algorithm: string,
  material: Secret,
  plaintext: Uint8Array,
): Buffer {
  const { hash, modulusBytes } = oaepOf(spec, algorithm);
  const most = modulusBytes - 2 * hash.bytes - 2;
  if (plaintext.length > most) {
    const message = `the plaintext has ${plaintext.length} bytes, and a key of spec ${spec} encrypts at most ${most} with ${algorithm}`;
    throw new ClavigerError("InvalidArgument", message);
  }
  return publicEncrypt(padded(publicKeyOf(spec, material), hash.name), plaintext);
}

/** Decrypts RSA-OAEP. Throws the same InvalidCiphertext whatever is wrong with the ciphertext. */
export function decryptOaep(
  spec: AsymmetricSpec,
  algorithm: string,
  material: Secret,
  ciphertext: Uint8Array,
): Secret {
  const { hash, modulusBytes } = oaepOf(spec, algorithm);
  const key = privateKeyOf(spec, material);
  if (ciphertext.length !== modulusBytes) throw new InvalidCiphertext("Truncated");
  try {
    return Secret.take(privateDecrypt(padded(key, hash.name), ciphertext));
  } catch {
    // OpenSSL takes the same time for each flaw (Manger, CRYPTO 2001), and the answer is the same.
    throw new InvalidCiphertext("TagMismatch");
  }
}

const padded = (key: KeyObject, oaepHash: string) => ({
  key,
  padding: constants.RSA_PKCS1_OAEP_PADDING,
  oaepHash,
});

function oaepOf(spec: AsymmetricSpec, algorithm: string) {
  const hash = hashes.get(algorithm);
  const type = keyTypeOf(spec);
  if (hash === undefined || type.kind !== "rsa")
    throw new ClavigerError("InvalidArgument", `a key of spec ${spec} does not encrypt with this algorithm`);
  return { hash, modulusBytes: type.modulusBits / 8 };
}
