import { isAsymmetric } from "../../../crypto/asymmetric/key-types.ts";
import { encryptOaep } from "../../../crypto/asymmetric/oaep.ts";
import type { EncryptionContext } from "../../../crypto/context.ts";
import { encryptMessage } from "../../../crypto/message.ts";
import type { AwsKeys, UsableKey } from "../../keys/aws-keys.ts";
import { refuseOtherAlgorithm } from "../algorithms.ts";
import { checkContext, scopeOf } from "../symmetric.ts";

/** The way in which a key encrypts. */
export interface Encryption {
  readonly usable: UsableKey;
  readonly algorithm: string;
  readonly context: EncryptionContext;
}

/** Throws InvalidKeyUsageException or ValidationException if the key does not encrypt in this way. */
export function checkEncryption({ usable, algorithm, context }: Encryption): void {
  refuseOtherAlgorithm(usable, algorithm);
  checkContext(usable, context);
}

/** Encrypts under a key's current version. Throws InvalidArgument for a plaintext that is too long. */
export async function encryptUnder(
  encryption: Encryption,
  plaintext: Uint8Array,
  keys: AwsKeys,
): Promise<Buffer> {
  const { usable, algorithm, context } = encryption;
  const { version } = usable;
  return isAsymmetric(version.keySpec)
    ? encryptOaep(version.keySpec, algorithm, await keys.material(version), plaintext)
    : encryptMessage(await scopeOf(version, context, keys), plaintext);
}
