import { decapsulate as decapsulateSecret } from "../../../crypto/asymmetric/encapsulate.ts";
import type { Operation } from "../operation.ts";
import { type KeyPairInput, keyPair } from "./key-pair.ts";

interface Input extends KeyPairInput {
  readonly SharedSecretCiphertextBlob: Buffer;
  readonly EncapsulationAlgorithm: string;
}

interface Output {
  readonly KeyId: string;
  readonly SharedSecret: Uint8Array;
  readonly EncapsulationAlgorithm: string;
}

export const decapsulate: Operation<Input, Output> = {
  needs: ({ input, caller }, keys) => [{ action: "Decapsulate", key: keys.find(input.KeyId, caller) }],
  async prepare(request, keys) {
    const { EncapsulationAlgorithm, SharedSecretCiphertextBlob } = request.input;
    const { spec, arn, material } = keyPair(request, "ENCAPSULATE_DECAPSULATE", EncapsulationAlgorithm, keys);
    const secret = decapsulateSecret(
      spec,
      EncapsulationAlgorithm,
      await material(),
      SharedSecretCiphertextBlob,
    );
    return () => ({ KeyId: arn, SharedSecret: secret.exposeSecretBytes(), EncapsulationAlgorithm });
  },
};
