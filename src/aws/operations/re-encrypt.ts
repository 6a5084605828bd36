import type { EncryptionContext } from "../../crypto/context.ts";
import type { AwsKeys } from "../keys/aws-keys.ts";
import { SYMMETRIC } from "./algorithms.ts";
import { decryptUnder } from "./ciphertext/decrypt-under.ts";
import { checkEncryption, type Encryption, encryptUnder } from "./ciphertext/encrypt-under.ts";
import {
  type DryRunModifiers,
  type GivenCiphertext,
  ignoresCiphertext,
  keyOfCiphertext,
} from "./ciphertext/given-ciphertext.ts";
import { symmetricMaterialId } from "./ciphertext/material-id.ts";
import { dryRun } from "./dry-run.ts";
import type { Operation, Request } from "./operation.ts";

interface Input extends DryRunModifiers {
  readonly CiphertextBlob?: Buffer;
  readonly SourceEncryptionContext?: EncryptionContext;
  readonly SourceKeyId?: string;
  readonly SourceEncryptionAlgorithm?: string;
  readonly DestinationKeyId: string;
  readonly DestinationEncryptionContext?: EncryptionContext;
  readonly DestinationEncryptionAlgorithm?: string;
}

interface Output {
  readonly CiphertextBlob: Buffer;
  readonly SourceKeyId: string;
  readonly KeyId: string;
  readonly SourceEncryptionAlgorithm: string;
  readonly DestinationEncryptionAlgorithm: string;
  readonly SourceKeyMaterialId: string | undefined;
  readonly DestinationKeyMaterialId: string | undefined;
}

const sourceOf = (input: Input): GivenCiphertext => ({
  blob: ignoresCiphertext(input) ? undefined : input.CiphertextBlob,
  keyId: input.SourceKeyId,
  algorithm: input.SourceEncryptionAlgorithm,
  context: input.SourceEncryptionContext,
});

function destinationOf({ input, caller, now }: Request<Input>, keys: AwsKeys): Encryption {
  const key = keys.find(input.DestinationKeyId, caller);
  return {
    usable: keys.usableFor(key, "ENCRYPT_DECRYPT", now),
    algorithm: input.DestinationEncryptionAlgorithm ?? SYMMETRIC,
    context: input.DestinationEncryptionContext ?? {},
  };
}

export const reEncrypt: Operation<Input, Output> = {
  needs({ input, caller }, keys) {
    const { SourceEncryptionContext: source = {}, DestinationEncryptionContext: destination = {} } = input;
    return [
      { action: "ReEncryptFrom", key: keyOfCiphertext(sourceOf(input), caller, keys), context: source },
      { action: "ReEncryptTo", key: keys.find(input.DestinationKeyId, caller), context: destination },
    ];
  },
  async prepare(request, keys) {
    const { input } = request;
    if (ignoresCiphertext(input)) throw dryRun();
    const destination = destinationOf(request, keys);
    checkEncryption(destination);
    const { usable: source, plaintext } = await decryptUnder(sourceOf(input), request, keys);
    return async () => {
      using secret = plaintext;
      return {
        CiphertextBlob: await encryptUnder(destination, secret.exposeSecretBytes(), keys),
        SourceKeyId: source.arn,
        KeyId: destination.usable.arn,
        SourceEncryptionAlgorithm: input.SourceEncryptionAlgorithm ?? SYMMETRIC,
        DestinationEncryptionAlgorithm: destination.algorithm,
        SourceKeyMaterialId: await symmetricMaterialId(source, keys),
        DestinationKeyMaterialId: await symmetricMaterialId(destination.usable, keys),
      };
    };
  },
};
