import type { Operation } from "../operation.ts";
import { type DataKeyPair, type DataKeyPairInput, prepareDataKeyPair } from "./data-key-pair.ts";

interface Output extends DataKeyPair {
  readonly PrivateKeyPlaintext: Uint8Array;
}

export const generateDataKeyPair: Operation<DataKeyPairInput, Output> = {
  needs: ({ input: { KeyId, EncryptionContext: context = {} }, caller }, keys) => [
    { action: "GenerateDataKeyPair", key: keys.find(KeyId, caller), context },
  ],
  prepare(request, keys) {
    const work = prepareDataKeyPair(request, keys);
    return async () => {
      const { pair, output } = await work();
      return { ...output, PrivateKeyPlaintext: pair.privateKey.exposeSecretBytes() };
    };
  },
};
