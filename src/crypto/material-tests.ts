import { createHmac, timingSafeEqual } from "node:crypto";
import { InvalidCiphertext } from "../errors.ts";
import type { KeyId, VersionId } from "./ids.ts";
import { decryptMessage, encryptMessage, parseMessage } from "./message.ts";
import { Secret } from "./secret.ts";

/** The version that material belongs to. */
export interface TestedVersion {
  readonly keyId: KeyId;
  readonly versionId: VersionId;
  readonly keyUsage: string;
}

/** Uses material once as its key spec allows. Returns true if the result is right. */
export type MaterialTest = (version: TestedVersion, material: Secret) => boolean;

/** Encrypts a random probe and decrypts it again. */
export const encryptsAndDecrypts: MaterialTest = ({ keyId, versionId }, material) => {
  const scope = { keyId, versionId, material, purpose: "kms-v2", context: {} } as const;
  using probe = Secret.random(32);
  const message = parseMessage(encryptMessage(scope, probe.exposeSecretBytes()));
  try {
    return timingSafeEqual(decryptMessage(scope, message), probe.exposeSecretBytes());
  } catch (error) {
    if (error instanceof InvalidCiphertext) return false;
    throw error;
  }
};

/** Makes a MAC with a hash of OpenSSL's. */
export const makesMacs =
  (hash: string): MaterialTest =>
  (_, material) =>
    createHmac(hash, material.exposeSecretBytes()).update("test").digest().length > 0;
