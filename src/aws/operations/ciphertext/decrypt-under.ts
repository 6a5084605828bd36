import { isAsymmetric } from "../../../crypto/asymmetric/key-types.ts";
import { decryptOaep } from "../../../crypto/asymmetric/oaep.ts";
import { decryptMessage, parseMessage } from "../../../crypto/message.ts";
import { Secret } from "../../../crypto/secret.ts";
import { AwsError } from "../../aws-error.ts";
import { type AwsKeys, invalidCiphertext, type UsableKey } from "../../keys/aws-keys.ts";
import { refuseOtherAlgorithm, SYMMETRIC } from "../algorithms.ts";
import type { Request } from "../operation.ts";
import { checkContext, scopeOf } from "../symmetric.ts";
import { type GivenCiphertext, keyOfCiphertext } from "./given-ciphertext.ts";

/** A ciphertext that was decrypted. */
export interface Decrypted {
  /** The key, with the version that encrypted. */
  readonly usable: UsableKey;
  readonly plaintext: Secret;
}

/**
 * Decrypts a ciphertext. Throws IncorrectKeyException if the request names another key, and InvalidCiphertext or
 * InvalidCiphertextException if the ciphertext or its context was altered.
 */
export async function decryptUnder(
  given: GivenCiphertext,
  { caller, now }: Pick<Request<unknown>, "caller" | "now">,
  keys: AwsKeys,
): Promise<Decrypted> {
  const { blob, algorithm = SYMMETRIC, context = {} } = given;
  if (blob === undefined) throw new AwsError("ValidationException", "CiphertextBlob is required.");
  const usable = keys.usableFor(keyOfCiphertext(given, caller, keys), "ENCRYPT_DECRYPT", now);
  refuseOtherAlgorithm(usable, algorithm);
  checkContext(usable, context);
  const { keySpec } = usable.version;
  if (!isAsymmetric(keySpec)) return decryptSymmetric({ ...given, blob }, usable, now, keys);
  const material = await keys.material(usable.version);
  return { usable, plaintext: decryptOaep(keySpec, algorithm, material, blob) };
}

async function decryptSymmetric(
  { blob, context = {} }: GivenCiphertext & { readonly blob: Buffer },
  { key }: UsableKey,
  now: number,
  keys: AwsKeys,
): Promise<Decrypted> {
  const message = parseMessage(blob);
  if (message.keyId !== key.keyId) throw otherKey(keys.withId(message.keyId) !== undefined);
  const usable = keys.usableVersion(key, message.versionId, now);
  return {
    usable,
    plaintext: Secret.take(decryptMessage(await scopeOf(usable.version, context, keys), message)),
  };
}

/** A ciphertext that names a key which nobody has is altered: it is not the ciphertext of another key. */
const otherKey = (exists: boolean): AwsError =>
  exists
    ? new AwsError(
        "IncorrectKeyException",
        "The key ID in the request does not identify a key that can perform this operation.",
      )
    : invalidCiphertext();
