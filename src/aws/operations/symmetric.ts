import { canonicalContext, type EncryptionContext } from "../../crypto/context.ts";
import type { MessageScope } from "../../crypto/message.ts";
import type { VersionRow } from "../../keyring/rows.ts";
import { AwsError } from "../aws-error.ts";
import type { AwsKeys, UsableKey } from "../keys/aws-keys.ts";

/** The algorithm of symmetric ciphertexts. */
export const SYMMETRIC = "SYMMETRIC_DEFAULT";

/** Throws InvalidKeyUsageException if keys of this spec do not use the algorithm. */
export function refuseOtherAlgorithm({ version, arn }: UsableKey, algorithm: string): void {
  if (version.keySpec === algorithm) return;
  throw new AwsError(
    "InvalidKeyUsageException",
    `Algorithm ${algorithm} is incompatible with key spec ${version.keySpec} of ${arn}.`,
  );
}

/** Throws InvalidArgument for a context that no ciphertext can be bound to. */
export const checkContext = (context: EncryptionContext): void => void canonicalContext(context);

/** Returns the scope in which a version encrypts for applications. Throws as `AwsKeys.material` does. */
export async function scopeOf(
  version: VersionRow,
  context: EncryptionContext,
  keys: AwsKeys,
): Promise<MessageScope> {
  const { keyId, versionId } = version;
  return { keyId, versionId, material: await keys.material(version), purpose: "aws-kms", context };
}
