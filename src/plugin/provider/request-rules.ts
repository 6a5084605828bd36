import { OVERHEAD_BYTES } from "../../crypto/message.ts";
import { ClavigerError } from "../../errors.ts";

/** The API server refuses a longer ciphertext (KEP-3299). Its own seeds have 32 bytes. */
const MAX_CIPHERTEXT_BYTES = 1024;
const MAX_PLAINTEXT_BYTES = MAX_CIPHERTEXT_BYTES - OVERHEAD_BYTES;

export interface DecryptRequest {
  readonly ciphertext: Uint8Array;
  readonly keyId: string;
  readonly annotationCount: number;
}

/** Throws InvalidArgument if an Encrypt's plaintext is empty, or so long that its ciphertext would be refused. */
export function refuseUnfitPlaintext({ length }: Uint8Array): void {
  if (length > 0 && length <= MAX_PLAINTEXT_BYTES) return;
  throw new ClavigerError(
    "InvalidArgument",
    `plaintext has ${length} bytes; a KMS v2 provider takes 1 to ${MAX_PLAINTEXT_BYTES}`,
  );
}

/** Throws InvalidArgument for a Decrypt request that cannot have a ciphertext of claviger's. */
export function refuseMalformed({ ciphertext, annotationCount }: DecryptRequest): void {
  if (annotationCount > 0) {
    throw new ClavigerError(
      "InvalidArgument",
      "the request has annotations, and claviger never returned any",
    );
  }
  if (ciphertext.length > MAX_CIPHERTEXT_BYTES) {
    throw new ClavigerError(
      "InvalidArgument",
      `ciphertext has ${ciphertext.length} bytes; a KMS v2 provider takes at most ${MAX_CIPHERTEXT_BYTES}`,
    );
  }
}

/** Returns the error for a key_id that is not the one of the version that the ciphertext names. */
export const otherKeyId = (): ClavigerError =>
  new ClavigerError("InvalidArgument", "key_id is not the one that the ciphertext was made under");
