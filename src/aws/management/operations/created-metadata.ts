import { type KeyUsage, keySpecs } from "../../../crypto/key-specs.ts";
import type { KeyRow } from "../../../keyring/rows.ts";
import type { MasterKey } from "../../../resources/resources.ts";
import { timeOf } from "../../../times.ts";
import type { AwsKeys } from "../../keys/aws-keys.ts";

/** The facts of a key, by the names of the service model. */
export interface KeyMetadata {
  readonly KeyId: string;
  readonly Arn: string;
  readonly KeyState: string;
  readonly [member: string]: unknown;
}

/** The member that lists the algorithms of each usage. */
const ALGORITHMS: Readonly<Record<KeyUsage, string>> & Readonly<Record<string, string>> = {
  ENCRYPT_DECRYPT: "EncryptionAlgorithms",
  SIGN_VERIFY: "SigningAlgorithms",
  GENERATE_VERIFY_MAC: "MacAlgorithms",
  KEY_AGREEMENT: "KeyAgreementAlgorithms",
  ENCAPSULATE_DECAPSULATE: "EncapsulationAlgorithms",
};

/** Returns the facts of a key that was just created, as its MasterKey says them. */
export async function createdMetadata(
  { metadata, spec, status }: MasterKey,
  row: KeyRow,
  keys: AwsKeys,
): Promise<KeyMetadata> {
  const { keySpec, keyUsage, origin, description } = spec;
  const algorithms: Readonly<Record<string, readonly string[]>> = keySpecs[keySpec].algorithms;
  const current = keys.current(row);
  const state = current === undefined ? (status?.keyState ?? "Creating") : "Enabled";
  return {
    AWSAccountId: keys.site.account,
    KeyId: row.keyId,
    Arn: keys.arn(row),
    CreationDate: new Date(timeOf(metadata.creationTimestamp)),
    Enabled: state === "Enabled",
    Description: description,
    KeyUsage: keyUsage,
    KeyState: state,
    Origin: origin,
    KeyManager: "CUSTOMER",
    CustomerMasterKeySpec: keySpec,
    KeySpec: keySpec,
    [ALGORITHMS[keyUsage]]: algorithms[keyUsage] ?? [],
    MultiRegion: false,
    ...(current !== undefined &&
      keySpec === "SYMMETRIC_DEFAULT" && { CurrentKeyMaterialId: await keys.materialId(current) }),
  };
}
