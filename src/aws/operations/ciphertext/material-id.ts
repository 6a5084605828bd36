import type { AwsKeys, UsableKey } from "../../keys/aws-keys.ts";

/** Returns the id of a symmetric key's material; undefined for other keys, as AWS KMS answers none for them. */
export const symmetricMaterialId = async (
  { version }: UsableKey,
  keys: AwsKeys,
): Promise<string | undefined> =>
  version.keySpec === "SYMMETRIC_DEFAULT" ? keys.materialId(version) : undefined;
