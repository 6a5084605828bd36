import { createPrivateKey, type KeyObject } from "node:crypto";
import { type AsymmetricSpec, isAsymmetric, keyTypeOf } from "./asymmetric/key-types.ts";
import { privateKeyOf } from "./asymmetric/private-key.ts";
import { newKeyId, newVersionId } from "./ids.ts";
import { type KeySpec, type KeyUsage, type MaterialSize, materialSize, testMaterial } from "./key-specs.ts";
import { Secret } from "./secret.ts";

/** The shortest PKCS #8 structure that anybody writes: Ed25519's, 48 bytes, is near it. */
const SHORTEST_PRIVATE_KEY = 40;
/** Other programs add attributes and parameters, which are dropped. */
const OTHER_FORMS = 128;

/** Returns the length that imported bytes may have: private keys come in several encodings. */
export function importSize(spec: KeySpec): MaterialSize {
  const size = materialSize(spec);
  return isAsymmetric(spec) ? { least: SHORTEST_PRIVATE_KEY, most: size.most + OTHER_FORMS } : size;
}

/** Describes the bytes that a spec needs. */
export const materialText = (spec: KeySpec): string =>
  isAsymmetric(spec) ? `a private key of spec ${spec} (PKCS #8, DER)` : `${materialSize(spec).most} bytes`;

/**
 * Returns imported bytes in the one form in which material is sealed, so that the same key imported again is
 * the same material; undefined if they are no material of the spec, or a pair that contradicts itself. Wipe
 * the result.
 */
export function importedMaterial(spec: KeySpec, keyUsage: KeyUsage, imported: Secret): Secret | undefined {
  const { least, most } = materialSize(spec);
  const material = isAsymmetric(spec) ? canonical(spec, imported) : copy(imported.exposeSecretBytes());
  if (material === undefined) return undefined;
  const version = { keyId: newKeyId(), versionId: newVersionId(), keyUsage };
  if (material.size >= least && material.size <= most && testMaterial(spec, version, material))
    return material;
  material.wipe();
  return undefined;
}

const copy = (bytes: Uint8Array): Secret => Secret.take(Uint8Array.from(bytes));

function canonical(spec: AsymmetricSpec, imported: Secret): Secret | undefined {
  try {
    const key = privateKeyOf(spec, imported);
    const whole = keyTypeOf(spec).kind === "ec" ? withPublicPoint(key) : key;
    return Secret.take(whole.export({ type: "pkcs8", format: "der" }));
  } catch {
    return undefined;
  }
}

/** OpenSSL leaves the public point out of a key again that came without it; a JSON Web Key always has it. */
const withPublicPoint = (key: KeyObject): KeyObject =>
  createPrivateKey({ key: key.export({ format: "jwk" }), format: "jwk" });
