import type { EncryptionContext } from "../../src/crypto/context.ts";
import type { KeyId, VersionId } from "../../src/crypto/ids.ts";
import { encryptWithSalt, type MessageScope } from "../../src/crypto/message.ts";
import { Secret } from "../../src/crypto/secret.ts";
import type { Purpose } from "../../src/crypto/suite1.ts";
import type { CiphertextFlaw } from "../../src/errors.ts";
import { hex, ids, MATERIAL, SEED, saltOf, unhex } from "./inputs.ts";

export const MESSAGE_ABOUT =
  "A message opened under keyId, versionId, material, purpose and context. outcome ok: plaintext, salt and material make exactly " +
  "these bytes, and the bytes open to the plaintext. Any other outcome names why the message does not open.";

/** The key with which a message is opened. Material and bytes are in hex. */
export interface Opener {
  readonly keyId: KeyId;
  readonly versionId: VersionId;
  readonly material: string;
  readonly purpose: Purpose;
  readonly context: EncryptionContext;
}
interface Opens extends Opener {
  readonly name: string;
  readonly outcome: "ok";
  readonly salt: string;
  readonly plaintext: string;
  readonly message: string;
}
interface Refused extends Opener {
  readonly name: string;
  readonly outcome: CiphertextFlaw | "InvalidArgument";
  readonly message: string;
}
export type MessageVector = Opens | Refused;

export const KMS: Opener = {
  keyId: ids.key,
  versionId: ids.version,
  material: hex(MATERIAL),
  purpose: "kms-v2",
  context: {},
};
export const AWS: Opener = { ...KMS, purpose: "aws-kms", context: { tenant: "alpha", region: "local" } };
export const SESSION: Opener = { ...KMS, purpose: "aws-session", context: { account: "000000000000" } };

/** The plaintext of a session token (docs/formats.md). */
export const SESSION_JSON = Buffer.from(
  JSON.stringify({
    accessKeyId: "ASIAAAAAAAAAAAAAAAAA",
    user: "system:serviceaccount:shop:web",
    groups: ["system:serviceaccounts"],
    name: "pod-1",
    expiresAt: 1_800_000_000,
    secret: "A".repeat(40),
  }),
);

export const scopeOf = (opener: Opener): MessageScope => ({
  ...opener,
  material: Secret.take(unhex(opener.material)),
});

export function encrypted(name: string, opener: Opener, plaintext: Uint8Array = SEED): Buffer {
  return encryptWithSalt(scopeOf(opener), plaintext, saltOf(name));
}

export function opens(name: string, opener: Opener, plaintext: Uint8Array): MessageVector {
  const message = hex(encrypted(name, opener, plaintext));
  return { name, ...opener, outcome: "ok", salt: hex(saltOf(name)), plaintext: hex(plaintext), message };
}

export function refused(
  name: string,
  outcome: Refused["outcome"],
  opener: Opener,
  message: Uint8Array,
): MessageVector {
  return { name, ...opener, outcome, message: hex(message) };
}
