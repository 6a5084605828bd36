import { createPublicKey, type KeyObject } from "node:crypto";
import { ClavigerError } from "../../errors.ts";
import type { Secret } from "../secret.ts";
import { type AsymmetricSpec, type KeyType, keyTypeOf } from "./key-types.ts";

/** The spec that a private key was found to have: it is compared once. */
const checked = new WeakMap<KeyObject, AsymmetricSpec>();
/** Public halves, which are not secret. They go with their private keys. */
const publicKeys = new WeakMap<KeyObject, KeyObject>();

/**
 * Returns material (PKCS #8, DER) as the private key that its spec needs. Throws InvalidArgument if it is not
 * such a key.
 */
export function privateKeyOf(spec: AsymmetricSpec, material: Secret): KeyObject {
  const key = parsed(material);
  if (key === undefined || (checked.get(key) !== spec && !fits(key, keyTypeOf(spec))))
    throw new ClavigerError("InvalidArgument", `the material is no private key of spec ${spec}`);
  checked.set(key, spec);
  return key;
}

/** Returns the public half of material. Throws InvalidArgument if it is no private key of this spec. */
export function publicKeyOf(spec: AsymmetricSpec, material: Secret): KeyObject {
  const privateKey = privateKeyOf(spec, material);
  const known = publicKeys.get(privateKey) ?? createPublicKey(privateKey);
  publicKeys.set(privateKey, known);
  return known;
}

/** Returns the public half as SubjectPublicKeyInfo, DER: the form that GetPublicKey answers. */
export const publicKeyDer = (spec: AsymmetricSpec, material: Secret): Buffer =>
  publicKeyOf(spec, material).export({ type: "spki", format: "der" });

function parsed(material: Secret): KeyObject | undefined {
  // Throws if the secret was wiped, which is a defect and not the material's fault.
  material.exposeSecretBytes();
  try {
    return material.exposePrivateKey();
  } catch {
    return undefined;
  }
}

/** AWS KMS's RSA keys have the exponent 65537. */
const EXPONENT = 65_537n;

function fits(key: KeyObject, type: KeyType): boolean {
  const { modulusLength, publicExponent, namedCurve } = key.asymmetricKeyDetails ?? {};
  switch (type.kind) {
    case "rsa":
      return (
        key.asymmetricKeyType === "rsa" && modulusLength === type.modulusBits && publicExponent === EXPONENT
      );
    case "ec":
      return key.asymmetricKeyType === "ec" && namedCurve === type.curve.name;
    case "ed25519":
      return key.asymmetricKeyType === "ed25519";
    case "ml-dsa":
    case "ml-kem":
      return key.asymmetricKeyType === type.parameters;
  }
}
