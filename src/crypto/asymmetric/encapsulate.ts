import { encapsulate as make, decapsulate as open } from "node:crypto";
import { ClavigerError, InvalidCiphertext } from "../../errors.ts";
import { Secret } from "../secret.ts";
import { type AsymmetricSpec, keyTypeOf } from "./key-types.ts";
import { privateKeyOf, publicKeyOf } from "./private-key.ts";

/** A new shared secret, and the ciphertext from which the private key's holder gets it. */
export interface Encapsulation {
  readonly sharedSecret: Secret;
  readonly ciphertext: Buffer;
}

/** Makes a shared secret with ML-KEM (FIPS 203). Throws InvalidArgument if the key is no ML-KEM key. */
export function encapsulate(spec: AsymmetricSpec, algorithm: string, material: Secret): Encapsulation {
  ciphertextBytes(spec, algorithm);
  const { sharedKey, ciphertext } = make(publicKeyOf(spec, material));
  return { sharedSecret: Secret.take(sharedKey), ciphertext };
}

/**
 * Returns the shared secret of a ciphertext. An altered ciphertext of the right length gives another secret,
 * as FIPS 203 has it ("implicit rejection"). Throws InvalidCiphertext for another length.
 */
export function decapsulate(
  spec: AsymmetricSpec,
  algorithm: string,
  material: Secret,
  ciphertext: Uint8Array,
): Secret {
  if (ciphertext.length !== ciphertextBytes(spec, algorithm)) throw new InvalidCiphertext("Truncated");
  return Secret.take(open(privateKeyOf(spec, material), ciphertext));
}

function ciphertextBytes(spec: AsymmetricSpec, algorithm: string): number {
  const type = keyTypeOf(spec);
  if (algorithm === "ML_KEM" && type.kind === "ml-kem") return type.ciphertextBytes;
  throw new ClavigerError(
    "InvalidArgument",
    `a key of spec ${spec} does not encapsulate with this algorithm`,
  );
}
