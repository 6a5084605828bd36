import type { EncryptionContext } from "../../crypto/context.ts";
import { SYMMETRIC } from "./algorithms.ts";
import { decryptUnder } from "./ciphertext/decrypt-under.ts";
import {
  type DryRunModifiers,
  type GivenCiphertext,
  ignoresCiphertext,
  keyOfCiphertext,
} from "./ciphertext/given-ciphertext.ts";
import { symmetricMaterialId } from "./ciphertext/material-id.ts";
import { dryRun } from "./dry-run.ts";
import type { Operation } from "./operation.ts";

interface Input extends DryRunModifiers {
  readonly CiphertextBlob?: Buffer;
  readonly EncryptionContext?: EncryptionContext;
  readonly KeyId?: string;
  readonly EncryptionAlgorithm?: string;
}

interface Output {
  readonly KeyId: string;
  readonly Plaintext: Uint8Array;
  readonly EncryptionAlgorithm: string;
  readonly KeyMaterialId: string | undefined;
}

const given = (input: Input): GivenCiphertext => ({
  blob: ignoresCiphertext(input) ? undefined : input.CiphertextBlob,
  keyId: input.KeyId,
  algorithm: input.EncryptionAlgorithm,
  context: input.EncryptionContext,
});

export const decrypt: Operation<Input, Output> = {
  needs({ input, caller }, keys) {
    const key = keyOfCiphertext(given(input), caller, keys);
    return [{ action: "Decrypt", key, context: input.EncryptionContext ?? {} }];
  },
  async prepare(request, keys) {
    const { input } = request;
    if (ignoresCiphertext(input)) throw dryRun();
    const { usable, plaintext } = await decryptUnder(given(input), request, keys);
    return async () => ({
      KeyId: usable.arn,
      Plaintext: plaintext.exposeSecretBytes(),
      EncryptionAlgorithm: input.EncryptionAlgorithm ?? SYMMETRIC,
      KeyMaterialId: await symmetricMaterialId(usable, keys),
    });
  },
};
