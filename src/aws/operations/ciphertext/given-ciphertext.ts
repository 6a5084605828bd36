import type { EncryptionContext } from "../../../crypto/context.ts";
import { parseMessage } from "../../../crypto/message.ts";
import type { KeyRow } from "../../../keyring/rows.ts";
import { AwsError } from "../../aws-error.ts";
import type { Caller } from "../../caller.ts";
import type { AwsKeys } from "../../keys/aws-keys.ts";
import { SYMMETRIC } from "../algorithms.ts";

/** A ciphertext as a request gives it, with what is needed to decrypt it. */
export interface GivenCiphertext {
  readonly blob: Buffer | undefined;
  /** The key that the caller expects; a symmetric ciphertext names its key. */
  readonly keyId: string | undefined;
  readonly algorithm: string | undefined;
  readonly context: EncryptionContext | undefined;
}

/**
 * Returns the key that a ciphertext is to be decrypted with: the key that the request names, or else the key
 * that the ciphertext names. Throws NotFoundException, InvalidCiphertext or InvalidCiphertextException.
 */
export function keyOfCiphertext(given: GivenCiphertext, caller: Caller, keys: AwsKeys): KeyRow {
  const { blob, keyId, algorithm = SYMMETRIC } = given;
  if (keyId !== undefined) return keys.find(keyId, caller);
  if (blob === undefined || algorithm !== SYMMETRIC)
    throw new AwsError(
      "ValidationException",
      "The request must name the key: only a ciphertext of a symmetric key tells which key it is of.",
    );
  return keys.ofCiphertext(parseMessage(blob));
}

/** The members with which a dry run leaves out the ciphertext. */
export interface DryRunModifiers {
  readonly DryRun?: boolean;
  readonly DryRunModifiers?: readonly string[];
}

/** Returns true if the request is a dry run of the authorization alone. */
export const ignoresCiphertext = ({ DryRun, DryRunModifiers = [] }: DryRunModifiers): boolean =>
  DryRun === true && DryRunModifiers.includes("IGNORE_CIPHERTEXT");
