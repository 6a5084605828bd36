import { type KeyObject, verify as verifyMessage } from "node:crypto";
import type { Secret } from "../secret.ts";
import * as ecdsa from "./ecdsa-digest.ts";
import { keyTypeOf } from "./key-types.ts";
import { privateKeyOf, publicKeyOf } from "./private-key.ts";
import * as rsa from "./rsa-signatures.ts";
import { digestOf } from "./sign.ts";
import { type Signing, schemeOf } from "./signing-schemes.ts";

/**
 * Returns true if a signature is valid. An ECDSA signature must be DER; its s may be large, as AWS KMS lets
 * it. Throws InvalidArgument if the key does not sign in this way.
 */
export function verify(
  signing: Signing,
  material: Secret,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const scheme = schemeOf(signing, message);
  const type = keyTypeOf(signing.spec);
  // Only with the private key can a digest be verified by node:crypto (ecdsa-digest.ts).
  if (signing.messageType === "DIGEST" && scheme.kind === "ecdsa" && type.kind === "ec") {
    const key = privateKeyOf(signing.spec, material);
    return ecdsa.isDigestSignature(type.curve, scheme.hash, key, message, signature);
  }
  return verifyByPublicKey(signing, publicKeyOf(signing.spec, material), message, signature);
}

/** Returns true if a signature is valid under a public key, for anything but an ECDSA digest. */
export function verifyByPublicKey(
  signing: Signing,
  key: KeyObject,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const scheme = schemeOf(signing, message);
  switch (scheme.kind) {
    case "pkcs1":
    case "pss":
      return rsa.isDigestSignature(scheme, key, digestOf(signing, scheme.hash, message), signature);
    case "ecdsa":
      return verifyMessage(scheme.hash, message, key, signature);
    case "ed25519":
    case "ml-dsa":
      return verifyMessage(null, message, key, signature);
  }
}
