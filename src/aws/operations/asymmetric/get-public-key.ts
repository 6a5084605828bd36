import { isAsymmetric } from "../../../crypto/asymmetric/key-types.ts";
import { publicKeyDer } from "../../../crypto/asymmetric/private-key.ts";
import { algorithmsOf, type KeyUsage } from "../../../crypto/key-specs.ts";
import { AwsError } from "../../aws-error.ts";
import type { Operation } from "../operation.ts";

interface Input {
  readonly KeyId: string;
}

interface Output {
  readonly KeyId: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly PublicKey: Buffer;
  readonly CustomerMasterKeySpec: string;
  readonly KeySpec: string;
  readonly KeyUsage: string;
  readonly EncryptionAlgorithms?: readonly string[];
  readonly SigningAlgorithms?: readonly string[];
  readonly KeyAgreementAlgorithms?: readonly string[];
  readonly EncapsulationAlgorithms?: readonly string[];
}

/** The member that lists the algorithms of a usage. A key that makes MACs has no public half. */
const LISTS = {
  ENCRYPT_DECRYPT: "EncryptionAlgorithms",
  SIGN_VERIFY: "SigningAlgorithms",
  KEY_AGREEMENT: "KeyAgreementAlgorithms",
  ENCAPSULATE_DECAPSULATE: "EncapsulationAlgorithms",
} as const satisfies { readonly [U in Exclude<KeyUsage, "GENERATE_VERIFY_MAC">]: keyof Output };

export const getPublicKey: Operation<Input, Output> = {
  needs: ({ input: { KeyId }, caller }, keys) => [{ action: "GetPublicKey", key: keys.find(KeyId, caller) }],
  prepare({ input: { KeyId }, caller, now }, keys) {
    const { version, arn } = keys.usable(keys.find(KeyId, caller), now);
    const { keySpec, keyUsage } = version;
    if (!isAsymmetric(keySpec) || keyUsage === "GENERATE_VERIFY_MAC")
      throw new AwsError(
        "UnsupportedOperationException",
        `${arn} has no public key: its key spec is ${keySpec}.`,
      );
    return async () => ({
      KeyId: arn,
      PublicKey: publicKeyDer(keySpec, await keys.material(version)),
      CustomerMasterKeySpec: keySpec,
      KeySpec: keySpec,
      KeyUsage: keyUsage,
      [LISTS[keyUsage]]: algorithmsOf(keySpec, keyUsage),
    });
  },
};
