import type { KeySpec } from "../../src/crypto/key-specs.ts";
import { Secret } from "../../src/crypto/secret.ts";
import { deriveMessageKey, encryptOnce } from "../../src/crypto/suite1.ts";
import { fileSeal } from "../../src/seal/file.ts";
import { type SealBinding, sealAad } from "../../src/seal/seal.ts";
import { counting, flipped, hex, ids, MATERIAL, OTHER_MATERIAL, replaced, saltOf, unhex } from "./inputs.ts";

export const SEAL_FILE_ABOUT =
  "Material sealed under a root key, opened with that root key and the binding; rootKeyId is what the record beside the blob says. " +
  "The AAD behind the header is the canonical context of the binding (number in decimal). outcome ok: material, salt and " +
  "root key make exactly this blob. NotMine: sealed under another root key. SealMismatch: altered, damaged or swapped.";

interface Given {
  readonly name: string;
  readonly rootKey: string;
  readonly rootKeyId: string;
  readonly binding: SealBinding;
  readonly blob: string;
}
interface Opens extends Given {
  readonly outcome: "ok";
  readonly salt: string;
  readonly material: string;
}
interface Refused extends Given {
  readonly outcome: "NotMine" | "SealMismatch";
}
export type SealFileVector = Opens | Refused;

const ROOT_KEY = counting(32, 0xc0);
const OTHER_ROOT_KEY = counting(32, 0x10);
const ROOT_KEY_ID_AT = 2;
const SALT_AT = 18;
const COMMITMENT_AT = 50;
const HEADER_BYTES = 82;
const MAX_BLOB_BYTES = 8192;

const FIRST: SealBinding = {
  keyId: ids.key,
  versionId: ids.version,
  number: 1,
  keySpec: "SYMMETRIC_DEFAULT",
  keyUsage: "ENCRYPT_DECRYPT",
};
const SECOND: SealBinding = { ...FIRST, versionId: ids.otherVersion, number: 2 };

const secret = (bytes: Uint8Array): Secret => Secret.take(Buffer.from(bytes));
export const idOf = (rootKey: Uint8Array): string => fileSeal(secret(rootKey)).rootKeyId;

/** Seals as `fileSeal.wrap` does, with a known salt. */
export function sealWithSalt(
  rootKey: Uint8Array,
  binding: SealBinding,
  material: Uint8Array,
  salt: Uint8Array,
): Buffer {
  return sealWithAad(rootKey, sealAad(binding), material, salt);
}

/** Seals under any associated data. */
export function sealWithAad(
  rootKey: Uint8Array,
  aad: Uint8Array,
  material: Uint8Array,
  salt: Uint8Array,
): Buffer {
  const { key, commitment } = deriveMessageKey(secret(rootKey), salt, "seal-file");
  const header = Buffer.concat([Uint8Array.of(1, 1), unhex(idOf(rootKey)), salt, commitment]);
  return Buffer.concat([header, encryptOnce(key, Buffer.concat([header, aad]), material)]);
}

export function sealFileVectors(): SealFileVector[] {
  return [...opening(), ...notMine(), ...swapped(), ...altered()];
}

function opening(): SealFileVector[] {
  const hmac = (keySpec: KeySpec): SealBinding => ({ ...FIRST, keySpec, keyUsage: "GENERATE_VERIFY_MAC" });
  return [
    opens("the first version of a symmetric key opens", FIRST, MATERIAL),
    opens("the second version opens", SECOND, OTHER_MATERIAL),
    opens("an HMAC key of 28 bytes opens", hmac("HMAC_224"), counting(28, 1)),
    opens("an HMAC key of 64 bytes opens", hmac("HMAC_512"), counting(64, 1)),
    opens("version 1000000 opens", { ...FIRST, number: 1_000_000 }, MATERIAL),
  ];
}

function notMine(): SealFileVector[] {
  const blob = sealed("not mine", FIRST);
  const other = { rootKey: hex(OTHER_ROOT_KEY), rootKeyId: idOf(ROOT_KEY) };
  return [
    { ...refused("material under another root key is not mine", "NotMine", FIRST, blob), ...other },
    {
      ...refused(
        "a damaged blob under another root key is not mine to judge",
        "NotMine",
        FIRST,
        Buffer.of(0),
      ),
      ...other,
    },
  ];
}

function swapped(): SealFileVector[] {
  const blob = sealed("swapped", FIRST);
  const under = (what: string, binding: SealBinding): SealFileVector =>
    refused(`a blob that was moved to ${what} is refused`, "SealMismatch", binding, blob);
  return [
    under("the next version", SECOND),
    under("another key", { ...FIRST, keyId: ids.otherKey }),
    under("another version id", { ...FIRST, versionId: ids.otherVersion }),
    under("another number", { ...FIRST, number: 11 }),
    under("another key spec", { ...FIRST, keySpec: "HMAC_256" }),
    under("another key usage", { ...FIRST, keyUsage: "GENERATE_VERIFY_MAC" }),
  ];
}

function altered(): SealFileVector[] {
  const blob = sealed("altered", FIRST);
  const damaged = (what: string, bytes: Uint8Array): SealFileVector =>
    refused(`${what} is refused`, "SealMismatch", FIRST, bytes);
  return [
    damaged("an empty blob", Buffer.alloc(0)),
    damaged("a blob of 97 bytes", blob.subarray(0, HEADER_BYTES + 15)),
    damaged(`a blob of ${MAX_BLOB_BYTES + 1} bytes`, replaced(Buffer.alloc(MAX_BLOB_BYTES + 1), 0, blob)),
    damaged("an unknown format", replaced(blob, 0, Uint8Array.of(2))),
    damaged("an unknown suite", replaced(blob, 1, Uint8Array.of(2))),
    damaged("a blob that names another root key than its record", flipped(blob, ROOT_KEY_ID_AT)),
    damaged("a changed byte of the salt", flipped(blob, SALT_AT)),
    damaged("a changed byte of the commitment", flipped(blob, COMMITMENT_AT)),
    damaged("a changed byte of the ciphertext", flipped(blob, HEADER_BYTES)),
    damaged("a changed byte of the tag", flipped(blob, -1)),
    damaged("a blob without its last byte", blob.subarray(0, blob.length - 1)),
  ];
}

const sealed = (name: string, binding: SealBinding): Buffer =>
  sealWithSalt(ROOT_KEY, binding, MATERIAL, saltOf(name));

function opens(name: string, binding: SealBinding, material: Uint8Array): SealFileVector {
  const salt = saltOf(name);
  const blob = hex(sealWithSalt(ROOT_KEY, binding, material, salt));
  const keys = { rootKey: hex(ROOT_KEY), rootKeyId: idOf(ROOT_KEY) };
  return { name, ...keys, binding, outcome: "ok", salt: hex(salt), material: hex(material), blob };
}

function refused(
  name: string,
  outcome: Refused["outcome"],
  binding: SealBinding,
  blob: Uint8Array,
): SealFileVector {
  return { name, rootKey: hex(ROOT_KEY), rootKeyId: idOf(ROOT_KEY), binding, outcome, blob: hex(blob) };
}
