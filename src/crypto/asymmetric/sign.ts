import { createHash, sign as signMessage } from "node:crypto";
import type { Secret } from "../secret.ts";
import * as ecdsa from "./ecdsa-digest.ts";
import { keyTypeOf } from "./key-types.ts";
import { privateKeyOf } from "./private-key.ts";
import * as rsa from "./rsa-signatures.ts";
import { type Hash, type Signing, schemeOf } from "./signing-schemes.ts";

/**
 * Signs a message, or its digest. ECDSA signatures are DER, and may have a large s, as AWS KMS's may. Throws
 * InvalidArgument if the key does not sign in this way.
 */
export function sign(signing: Signing, material: Secret, message: Uint8Array): Buffer {
  const scheme = schemeOf(signing, message);
  const key = privateKeyOf(signing.spec, material);
  switch (scheme.kind) {
    case "pkcs1":
    case "pss":
      return rsa.signDigest(scheme, key, digestOf(signing, scheme.hash, message));
    case "ecdsa": {
      const type = keyTypeOf(signing.spec);
      if (signing.messageType === "DIGEST" && type.kind === "ec")
        return ecdsa.signDigest(type.curve, scheme.hash, key, message);
      return signMessage(scheme.hash, message, key);
    }
    case "ed25519":
    case "ml-dsa":
      return signMessage(null, message, key);
  }
}

/** Returns the digest that is signed: the message itself if it is a digest. */
export const digestOf = ({ messageType }: Signing, hash: Hash, message: Uint8Array): Uint8Array =>
  messageType === "DIGEST" ? message : createHash(hash).update(message).digest();
