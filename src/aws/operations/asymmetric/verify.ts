import { verify as isSignature } from "../../../crypto/asymmetric/verify.ts";
import { AwsError } from "../../aws-error.ts";
import type { Operation } from "../operation.ts";
import { type SigningInput, signingKey } from "./signing-key.ts";

interface Input extends SigningInput {
  readonly Signature: Buffer;
}

interface Output {
  readonly KeyId: string;
  readonly SignatureValid: true;
  readonly SigningAlgorithm: string;
}

export const verify: Operation<Input, Output> = {
  needs: ({ input, caller }, keys) => [{ action: "Verify", key: keys.find(input.KeyId, caller) }],
  async prepare(request, keys) {
    const { Message, Signature } = request.input;
    const { pair, signing } = signingKey(request, keys);
    if (!isSignature(signing, await pair.material(), Message, Signature)) throw invalidSignature();
    return () => ({ KeyId: pair.arn, SignatureValid: true, SigningAlgorithm: signing.algorithm });
  },
};

const invalidSignature = (): AwsError =>
  new AwsError("KMSInvalidSignatureException", "The signature is not of this message, key and algorithm.");
