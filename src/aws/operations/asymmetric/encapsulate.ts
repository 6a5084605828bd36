import { encapsulate as encapsulateSecret } from "../../../crypto/asymmetric/encapsulate.ts";
import type { Operation } from "../operation.ts";
import { type KeyPairInput, keyPair } from "./key-pair.ts";

interface Input extends KeyPairInput {
  readonly EncapsulationAlgorithm: string;
}

interface Output {
  readonly KeyId: string;
  readonly SharedSecret: Uint8Array;
  readonly SharedSecretCiphertextBlob: Buffer;
  readonly EncapsulationAlgorithm: string;
}

export const encapsulate: Operation<Input, Output> = {
  needs: ({ input, caller }, keys) => [{ action: "Encapsulate", key: keys.find(input.KeyId, caller) }],
  prepare(request, keys) {
    const { EncapsulationAlgorithm } = request.input;
    const { spec, arn, material } = keyPair(request, "ENCAPSULATE_DECAPSULATE", EncapsulationAlgorithm, keys);
    return async () => {
      const { sharedSecret, ciphertext } = encapsulateSecret(spec, EncapsulationAlgorithm, await material());
      return {
        KeyId: arn,
        SharedSecret: sharedSecret.exposeSecretBytes(),
        SharedSecretCiphertextBlob: ciphertext,
        EncapsulationAlgorithm,
      };
    };
  },
};
