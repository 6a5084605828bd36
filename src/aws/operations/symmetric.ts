import { canonicalContext, type EncryptionContext } from "../../crypto/context.ts";
import { type MessagePrefix, type MessageScope, prefixOf } from "../../crypto/message.ts";
import type { VersionRow } from "../../keyring/rows.ts";
import { AwsError } from "../aws-error.ts";
import type { AwsKeys, UsableKey } from "../keys/aws-keys.ts";

/** Throws InvalidArgument for a context that no ciphertext can be bound to, and for any context of other keys. */
export function checkContext({ version, arn }: UsableKey, context: EncryptionContext): void {
  const bytes = canonicalContext(context);
  if (bytes.length === 0 || version.keySpec === "SYMMETRIC_DEFAULT") return;
  throw new AwsError(
    "ValidationException",
    `An encryption context is for symmetric keys alone, and the key spec of ${arn} is ${version.keySpec}.`,
  );
}

/** The versions that were used, each with the first bytes of its messages. */
const prefixes = new WeakMap<VersionRow, MessagePrefix>();

function knownPrefix(version: VersionRow): MessagePrefix {
  const known = prefixes.get(version);
  if (known !== undefined) return known;
  const prefix = prefixOf(version);
  prefixes.set(version, prefix);
  return prefix;
}

/** Returns the scope in which a version encrypts for applications. Throws as `AwsKeys.material` does. */
export async function scopeOf(
  version: VersionRow,
  context: EncryptionContext,
  keys: AwsKeys,
): Promise<MessageScope> {
  const { keyId, versionId } = version;
  const prefix = knownPrefix(version);
  return { keyId, versionId, material: await keys.material(version), purpose: "aws-kms", context, prefix };
}
