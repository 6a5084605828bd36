import type { KeyId } from "../../src/crypto/ids.ts";
import { materialId } from "../../src/crypto/import-wrapping.ts";
import { Secret } from "../../src/crypto/secret.ts";
import { counting, hex, ids, MATERIAL, OTHER_MATERIAL } from "./inputs.ts";

export const MATERIAL_ID_ABOUT =
  "materialId = HKDF-SHA-256(ikm = material, salt = keyId (16 bytes), info = 'claviger/v1/material-id', 32 bytes) in lowercase hex.";

export interface MaterialIdVector {
  readonly name: string;
  readonly outcome: "ok";
  readonly keyId: string;
  readonly material: string;
  readonly materialId: string;
}

export function materialIdVectors(): MaterialIdVector[] {
  return [
    named("material has a name under its key", ids.key, MATERIAL),
    named("other material has another one", ids.key, OTHER_MATERIAL),
    named("the same material under another key has another one", ids.otherKey, MATERIAL),
    named("material of 28 bytes has one", ids.key, counting(28, 1)),
    named("material of 64 bytes has one", ids.key, counting(64, 1)),
  ];
}

function named(name: string, keyId: KeyId, material: Uint8Array): MaterialIdVector {
  const id = materialId(keyId, Secret.take(Buffer.from(material)));
  return { name, outcome: "ok", keyId, material: hex(material), materialId: id };
}
