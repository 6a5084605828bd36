import { createPublicKey, diffieHellman, type KeyObject } from "node:crypto";
import { ClavigerError } from "../../errors.ts";
import { Secret } from "../secret.ts";
import { type AsymmetricSpec, type Curve, keyTypeOf } from "./key-types.ts";
import { privateKeyOf } from "./private-key.ts";

/** ECDH on these curves is AWS KMS's KEY_AGREEMENT. */
const AGREEING = new Set<AsymmetricSpec>(["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"]);

/**
 * Returns the secret that this key and another party's public key have in common: the x coordinate, as long
 * as the curve's field (NIST SP 800-56A, revision 3, section 5.7.1.2). Throws InvalidArgument if the key does
 * not agree on secrets, or if the public key is not a point of its curve.
 */
export function deriveSharedSecret(
  spec: AsymmetricSpec,
  algorithm: string,
  material: Secret,
  publicKey: Uint8Array,
): Secret {
  const type = keyTypeOf(spec);
  if (algorithm !== "ECDH" || type.kind !== "ec" || !AGREEING.has(spec))
    throw new ClavigerError("InvalidArgument", `a key of spec ${spec} derives no secret with this algorithm`);
  const privateKey = privateKeyOf(spec, material);
  const secret = derived(privateKey, type.curve, publicKey);
  if (secret !== undefined) return secret;
  throw new ClavigerError(
    "InvalidArgument",
    `the public key is not a SubjectPublicKeyInfo in DER with an uncompressed point of the curve of ${spec}`,
  );
}

/**
 * OpenSSL checks that the point is on the curve, and validates it again before it derives (SP 800-56A, section
 * 5.6.2.3.3; the cofactor of these curves is 1).
 */
function derived(privateKey: KeyObject, curve: Curve, der: Uint8Array): Secret | undefined {
  if (!isNamedAndUncompressed(curve, der)) return undefined;
  try {
    const publicKey = createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" });
    return Secret.take(diffieHellman({ privateKey, publicKey }));
  } catch {
    return undefined;
  }
}

/**
 * Returns true for the one form that AWS KMS and all libraries write: the curve by its name and the point
 * uncompressed. Curves with explicit parameters have been used to pass off weak curves.
 *
 *   SEQUENCE { SEQUENCE { id-ecPublicKey, curve }, BIT STRING { 00 04 x y } }
 */
function isNamedAndUncompressed({ oid, bytes }: Curve, der: Uint8Array): boolean {
  const names = element(0x30, Buffer.from(`06072a8648ce3d0201${oid}`, "hex"));
  const bits = element(0x03, Buffer.concat([Uint8Array.of(0, 4), Buffer.alloc(2 * bytes)]));
  const form = element(0x30, Buffer.concat([names, bits]));
  const start = form.length - 2 * bytes;
  return der.length === form.length && form.subarray(0, start).equals(der.subarray(0, start));
}

/** DER of at most 255 bytes: tag, length, contents. */
const element = (tag: number, contents: Buffer): Buffer =>
  Buffer.concat([Uint8Array.of(tag, ...(contents.length > 127 ? [0x81] : []), contents.length), contents]);
