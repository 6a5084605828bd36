import type { Operation } from "../operation.ts";
import { type DataKeyPair, type DataKeyPairInput, prepareDataKeyPair } from "./data-key-pair.ts";

export const generateDataKeyPairWithoutPlaintext: Operation<DataKeyPairInput, DataKeyPair> = {
  needs: ({ input: { KeyId, EncryptionContext: context = {} }, caller }, keys) => [
    { action: "GenerateDataKeyPairWithoutPlaintext", key: keys.find(KeyId, caller), context },
  ],
  prepare(request, keys) {
    const work = prepareDataKeyPair(request, keys);
    return async () => {
      const { pair, output } = await work();
      pair.privateKey.wipe();
      return output;
    };
  },
};
