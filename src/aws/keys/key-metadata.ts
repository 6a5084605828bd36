import { type KeySpec, type KeyUsage, keySpecs, type Origin } from "../../crypto/key-specs.ts";
import type { KeyRow, VersionRow } from "../../keyring/rows.ts";
import type { AwsKeys } from "./aws-keys.ts";
import type { KeyState } from "./key-state.ts";

/** The facts of a key, by the names of the service model. */
export interface KeyMetadata {
  readonly KeyId: string;
  readonly Arn: string;
  readonly KeyState: string;
  readonly [member: string]: unknown;
}

/** What describes a key besides its state. */
export interface DescribedKey {
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly description: string | undefined;
  readonly keySpec: KeySpec;
  readonly keyUsage: KeyUsage;
  readonly origin: Origin;
}

/** The member that lists the algorithms of each usage. */
const ALGORITHMS: Readonly<Record<KeyUsage, string>> & Readonly<Record<string, string>> = {
  ENCRYPT_DECRYPT: "EncryptionAlgorithms",
  SIGN_VERIFY: "SigningAlgorithms",
  GENERATE_VERIFY_MAC: "MacAlgorithms",
  KEY_AGREEMENT: "KeyAgreementAlgorithms",
  ENCAPSULATE_DECAPSULATE: "EncapsulationAlgorithms",
};

/** Returns the facts of a key at `now` (epoch milliseconds), as this node has recorded them. */
export const keyMetadata = (key: KeyRow, keys: AwsKeys, now: number): Promise<KeyMetadata> =>
  metadataOf(keys.details(key), key, keys.state(key, now), keys);

/** Returns the facts of a key in a state. */
export async function metadataOf(
  { createdAt, description, keySpec, keyUsage, origin }: DescribedKey,
  key: KeyRow,
  state: KeyState,
  keys: AwsKeys,
): Promise<KeyMetadata> {
  const algorithms: Readonly<Record<string, readonly string[]>> = keySpecs[keySpec].algorithms;
  const current = keys.current(key);
  return {
    AWSAccountId: keys.site.account,
    KeyId: key.keyId,
    Arn: keys.arn(key),
    CreationDate: new Date(createdAt),
    Enabled: state === "Enabled",
    Description: description ?? "",
    KeyUsage: keyUsage,
    KeyState: state,
    Origin: origin,
    KeyManager: "CUSTOMER",
    CustomerMasterKeySpec: keySpec,
    KeySpec: keySpec,
    [ALGORITHMS[keyUsage]]: algorithms[keyUsage] ?? [],
    MultiRegion: false,
    ...(key.deletionDate !== undefined && { DeletionDate: new Date(key.deletionDate) }),
    ...(current !== undefined && expiry(current)),
    ...(current !== undefined &&
      keySpec === "SYMMETRIC_DEFAULT" && { CurrentKeyMaterialId: await keys.materialId(current) }),
  };
}

/** Only imported material expires. */
function expiry({ origin, validTo }: VersionRow): object {
  if (origin !== "EXTERNAL") return {};
  if (validTo === undefined) return { ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE" };
  return { ExpirationModel: "KEY_MATERIAL_EXPIRES", ValidTo: new Date(validTo) };
}
