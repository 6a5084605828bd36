import type { EncryptionContext } from "../../crypto/context.ts";
import { SYMMETRIC } from "./algorithms.ts";
import { checkEncryption, encryptUnder } from "./ciphertext/encrypt-under.ts";
import { symmetricMaterialId } from "./ciphertext/material-id.ts";
import type { DryRunInput, Operation } from "./operation.ts";

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
    return [{ action: "Encrypt", key: keys.find(KeyId, caller), context }];
  },
  prepare({ input, caller, now, draft }, keys) {
    const { KeyId, Plaintext, EncryptionContext: context = {}, EncryptionAlgorithm = SYMMETRIC } = input;
    const usable = keys.usableFor(keys.find(KeyId, caller), "ENCRYPT_DECRYPT", now);
    const encryption = { usable, algorithm: EncryptionAlgorithm, context };
    checkEncryption(encryption);
    return async () => {
      if (draft !== undefined) draft.materialId = await symmetricMaterialId(usable, keys);
      return {
        CiphertextBlob: await encryptUnder(encryption, Plaintext, keys),
        KeyId: usable.arn,
        EncryptionAlgorithm,
      };
    };
  },
};
