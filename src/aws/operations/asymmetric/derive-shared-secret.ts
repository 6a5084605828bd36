import { deriveSharedSecret as derive } from "../../../crypto/asymmetric/agree.ts";
import type { Operation } from "../operation.ts";
import { type KeyPairInput, keyPair } from "./key-pair.ts";

interface Input extends KeyPairInput {
  readonly KeyAgreementAlgorithm: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly PublicKey: Buffer;
}

interface Output {
  readonly KeyId: string;
  readonly SharedSecret: Uint8Array;
  readonly KeyAgreementAlgorithm: string;
  readonly KeyOrigin: string;
}

export const deriveSharedSecret: Operation<Input, Output> = {
  needs: ({ input, caller }, keys) => [{ action: "DeriveSharedSecret", key: keys.find(input.KeyId, caller) }],
  async prepare(request, keys) {
    const { KeyAgreementAlgorithm, PublicKey } = request.input;
    const { spec, arn, version, material } = keyPair(request, "KEY_AGREEMENT", KeyAgreementAlgorithm, keys);
    const secret = derive(spec, KeyAgreementAlgorithm, await material(), PublicKey);
    return () => ({
      KeyId: arn,
      SharedSecret: secret.exposeSecretBytes(),
      KeyAgreementAlgorithm,
      KeyOrigin: version.origin,
    });
  },
};
