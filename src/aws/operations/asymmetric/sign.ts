import { sign as signMessage } from "../../../crypto/asymmetric/sign.ts";
import type { Operation } from "../operation.ts";
import { type SigningInput, signingKey } from "./signing-key.ts";

interface Output {
  readonly KeyId: string;
  readonly Signature: Buffer;
  readonly SigningAlgorithm: string;
}

export const sign: Operation<SigningInput, Output> = {
  needs: ({ input, caller }, keys) => [{ action: "Sign", key: keys.find(input.KeyId, caller) }],
  prepare(request, keys) {
    const { pair, signing } = signingKey(request, keys);
    return async () => ({
      KeyId: pair.arn,
      Signature: signMessage(signing, await pair.material(), request.input.Message),
      SigningAlgorithm: signing.algorithm,
    });
  },
};
