import {
  constants,
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  hkdfSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
} from "node:crypto";
import { ClavigerError } from "../errors.ts";
import { generateKeyPair } from "./asymmetric/generate.ts";
import { type KeyId, uuidToBytes } from "./ids.ts";
import type { MaterialSize } from "./key-specs.ts";
import { Secret } from "./secret.ts";

/** The ways to wrap material for its transport into claviger, by AWS KMS's names (GetParametersForImport). */
export const WRAPPING_ALGORITHMS = [
  "RSAES_OAEP_SHA_256",
  "RSAES_OAEP_SHA_1",
  "RSA_AES_KEY_WRAP_SHA_256",
  "RSA_AES_KEY_WRAP_SHA_1",
] as const;
export const WRAPPING_KEY_SPECS = ["RSA_3072", "RSA_4096"] as const;

export type WrappingAlgorithm = (typeof WRAPPING_ALGORITHMS)[number];
export type WrappingKeySpec = (typeof WRAPPING_KEY_SPECS)[number];

interface AlgorithmRow {
  readonly hash: "sha1" | "sha256";
  /** True if RSA wraps an AES key, which wraps the material, instead of the material itself. */
  readonly viaAes: boolean;
}

const algorithms: Readonly<Record<WrappingAlgorithm, AlgorithmRow>> = {
  RSAES_OAEP_SHA_256: { hash: "sha256", viaAes: false },
  RSAES_OAEP_SHA_1: { hash: "sha1", viaAes: false },
  RSA_AES_KEY_WRAP_SHA_256: { hash: "sha256", viaAes: true },
  RSA_AES_KEY_WRAP_SHA_1: { hash: "sha1", viaAes: true },
};

/** AES key wrap with padding (RFC 5649): the first half of its initial value, section 3. */
const KWP = "id-aes256-wrap-pad";
const KWP_IV = Buffer.from("a65959a6", "hex");
const AES_KEY_BYTES = 32;

/**
 * A key pair for a single import. The public half is published, and the private half is only ever stored
 * sealed.
 */
export interface WrappingKeyPair {
  /** SubjectPublicKeyInfo, PEM. */
  readonly publicKey: string;
  /** PKCS #8, DER. */
  readonly privateKey: Secret;
}

/** Takes up to a few seconds, outside the event loop. */
export async function generateWrappingKeyPair(spec: WrappingKeySpec): Promise<WrappingKeyPair> {
  const { publicKey, privateKey } = await generateKeyPair(spec);
  const key = createPublicKey({ key: publicKey, format: "der", type: "spki" });
  return { publicKey: key.export({ type: "spki", format: "pem" }), privateKey };
}

/**
 * Wraps material for its transport into claviger.
 *
 *   RSAES_OAEP_*          RSA-OAEP(material)
 *   RSA_AES_KEY_WRAP_*    RSA-OAEP(random AES-256 key) ‖ AES-KWP(that key, material)
 *
 * OAEP (RFC 8017, section 7.1) with the named hash, for MGF1 too, and no label.
 * Throws InvalidArgument if the public key is not an RSA key, or if the material is too long for RSA alone.
 */
export function wrapMaterial(
  publicKeyPem: string,
  algorithm: WrappingAlgorithm,
  material: Uint8Array,
): Buffer {
  const publicKey = parsePublicKey(publicKeyPem);
  const { hash, viaAes } = algorithms[algorithm];
  if (!viaAes) {
    mustFit(publicKey, algorithm, material.length);
    return publicEncrypt(oaep(publicKey, hash), material);
  }
  using aesKey = Secret.random(AES_KEY_BYTES);
  const cipher = createCipheriv(KWP, aesKey.exposeSecretBytes(), KWP_IV);
  const wrapped = Buffer.concat([cipher.update(material), cipher.final()]);
  return Buffer.concat([publicEncrypt(oaep(publicKey, hash), aesKey.exposeSecretBytes()), wrapped]);
}

/**
 * Opens wrapped material that must be as long as `size` says; wipe it when done. Throws the same InvalidCiphertext
 * whatever is wrong: the failed step would be an oracle for somebody who has a wrapped key without its
 * contents (Manger, "A chosen ciphertext attack on RSA-OAEP", CRYPTO 2001).
 */
export function unwrapMaterial(
  privateKey: Secret,
  algorithm: WrappingAlgorithm,
  wrapped: Uint8Array,
  size: MaterialSize,
): Secret {
  // The key comes from a token that only claviger creates, so a key that does not parse is a defect of ours.
  const key = privateKey.exposePrivateKey();
  const { hash, viaAes } = algorithms[algorithm];
  const modulusBytes = (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
  const least = modulusBytes + (viaAes ? kwpBytes(size.least) : 0);
  const most = modulusBytes + (viaAes ? kwpBytes(size.most) : 0);
  if (wrapped.length < least || wrapped.length > most) throw unwrapFailed();
  const opened = openRsa(oaep(key, hash), wrapped.subarray(0, modulusBytes));
  const material = viaAes ? openKwp(opened, wrapped.subarray(modulusBytes)) : opened;
  if (material !== undefined && isWithin(size, material.size)) return material;
  material?.wipe();
  throw unwrapFailed();
}

/**
 * Returns a name for material under a key, 64 lowercase hex digits: HKDF-SHA-256 (RFC 5869) of the material,
 * with the keyId as salt. The same material gets the same name again, so a re-import is recognised without
 * keeping the material open; under another key it gets another name. The name says nothing about uniformly
 * random material (section 3.2). For guessable material it confirms a guess, as any ciphertext does.
 */
export function materialId(keyId: KeyId, material: Secret): string {
  const id = hkdfSync(
    "sha256",
    material.exposeSecretBytes(),
    uuidToBytes(keyId),
    "claviger/v1/material-id",
    32,
  );
  return Buffer.from(id).toString("hex");
}

const oaepHashBytes = { sha1: 20, sha256: 32 } as const;

function mustFit(publicKey: KeyObject, algorithm: WrappingAlgorithm, bytes: number): void {
  const { hash } = algorithms[algorithm];
  const most = (publicKey.asymmetricKeyDetails?.modulusLength ?? 0) / 8 - 2 * oaepHashBytes[hash] - 2;
  if (bytes <= most) return;
  throw new ClavigerError(
    "InvalidArgument",
    `the material has ${bytes} bytes and ${algorithm} wraps at most ${most}: use RSA_AES_KEY_WRAP_SHA_256`,
  );
}

function openRsa(key: ReturnType<typeof oaep>, wrapped: Uint8Array): Secret | undefined {
  try {
    return Secret.take(privateDecrypt(key, wrapped));
  } catch {
    return undefined;
  }
}

/** If RSA gave no AES key, a random key is tried, which takes as long and fails at the same place. */
function openKwp(opened: Secret | undefined, wrapped: Uint8Array): Secret | undefined {
  using given = opened ?? Secret.random(AES_KEY_BYTES);
  using other = Secret.random(AES_KEY_BYTES);
  const aesKey = given.size === AES_KEY_BYTES ? given : other;
  const decipher = createDecipheriv(KWP, aesKey.exposeSecretBytes(), KWP_IV);
  try {
    const material = decipher.update(wrapped);
    decipher.final();
    return Secret.take(material);
  } catch {
    return undefined;
  }
}

const isWithin = ({ least, most }: MaterialSize, bytes: number): boolean => bytes >= least && bytes <= most;

/** RFC 5649, section 4.1: padded to 8 bytes, and 8 bytes longer. */
const kwpBytes = (size: number): number => Math.ceil(size / 8) * 8 + 8;

const oaep = (key: KeyObject, oaepHash: string) => ({
  key,
  padding: constants.RSA_PKCS1_OAEP_PADDING,
  oaepHash,
});

function parsePublicKey(pem: string): KeyObject {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === "rsa") return key;
  } catch {
    // Reported below, without the parser's words.
  }
  throw new ClavigerError("InvalidArgument", "the wrapping public key is no RSA key in PEM");
}

const unwrapFailed = (): ClavigerError =>
  new ClavigerError(
    "InvalidCiphertext",
    "the wrapped material does not open, or is not as long as the key's spec needs",
  );
