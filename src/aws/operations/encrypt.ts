import type { EncryptionContext } from "../../crypto/context.ts";
import { encryptMessage } from "../../crypto/message.ts";
import type { DryRunInput, Operation } from "./operation.ts";
import { checkContext, refuseOtherAlgorithm, SYMMETRIC, scopeOf } from "./symmetric.ts";

interface Input extends DryRunInput {
  readonly KeyId: string;
  readonly Plaintext: Buffer;
  readonly EncryptionContext?: EncryptionContext;
  readonly EncryptionAlgorithm?: string;
}

interface Output {
  readonly CiphertextBlob: Buffer;
  readonly KeyId: string;
  readonly EncryptionAlgorithm: string;
}

export const encrypt: Operation<Input, Output> = {
  needs({ input: { KeyId, EncryptionContext: context = {} }, caller }, keys) {
    return [{ action: "kms:Encrypt", key: keys.find(KeyId, caller), context }];
  },
  prepare({ input, caller, now }, keys) {
    const { KeyId, Plaintext, EncryptionContext: context = {}, EncryptionAlgorithm = SYMMETRIC } = input;
    const usable = keys.usableFor(keys.find(KeyId, caller), "ENCRYPT_DECRYPT", now);
    refuseOtherAlgorithm(usable, EncryptionAlgorithm);
    checkContext(context);
    return async () => ({
      CiphertextBlob: encryptMessage(await scopeOf(usable.version, context, keys), Plaintext),
      KeyId: usable.arn,
      EncryptionAlgorithm,
    });
  },
};
