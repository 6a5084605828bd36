import type { EncryptionContext } from "../../crypto/context.ts";
import { RandomPool } from "../../crypto/random-pool.ts";
import { AwsError } from "../aws-error.ts";
import type { AwsKeys } from "../keys/aws-keys.ts";
import { SYMMETRIC } from "./algorithms.ts";
import { checkEncryption, encryptUnder } from "./ciphertext/encrypt-under.ts";
import type { DryRunInput, Operation, Request } from "./operation.ts";

interface Input extends DryRunInput {
  readonly KeyId: string;
  readonly EncryptionContext?: EncryptionContext;
  readonly NumberOfBytes?: number;
  readonly KeySpec?: string;
}

interface WithoutPlaintext {
  readonly CiphertextBlob: Buffer;
  readonly KeyId: string;
  readonly KeyMaterialId: string;
}

interface WithPlaintext extends WithoutPlaintext {
  readonly Plaintext: Buffer;
}

const dataKeys = new RandomPool();

const BYTES: Readonly<Record<string, number>> = { AES_128: 16, AES_256: 32 };

export const generateDataKey: Operation<Input, WithPlaintext> = {
  needs: (request, keys) => needsOf("GenerateDataKey", request, keys),
  prepare: dataKeyWork,
};

export const generateDataKeyWithoutPlaintext: Operation<Input, WithoutPlaintext> = {
  needs: (request, keys) => needsOf("GenerateDataKeyWithoutPlaintext", request, keys),
  prepare(request, keys) {
    const work = dataKeyWork(request, keys);
    return async () => {
      const { Plaintext, ...output } = await work();
      Plaintext.fill(0);
      return output;
    };
  },
};

function needsOf(
  action: "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext",
  { input: { KeyId, EncryptionContext: context = {} }, caller }: Request<Input>,
  keys: AwsKeys,
) {
  return [{ action, key: keys.find(KeyId, caller), context }];
}

function dataKeyWork({ input, caller, now }: Request<Input>, keys: AwsKeys): () => Promise<WithPlaintext> {
  const { KeyId, EncryptionContext: context = {} } = input;
  const size = sizeOf(input);
  const usable = keys.usableFor(keys.find(KeyId, caller), "ENCRYPT_DECRYPT", now);
  const encryption = { usable, algorithm: SYMMETRIC, context };
  checkEncryption(encryption);
  return async () => {
    const Plaintext = dataKeys.take(size);
    return {
      CiphertextBlob: await encryptUnder(encryption, Plaintext, keys),
      Plaintext,
      KeyId: usable.arn,
      KeyMaterialId: await keys.materialId(usable.version),
    };
  };
}

/** Returns the length of the data key, which a request names in one of two ways. */
function sizeOf({ NumberOfBytes, KeySpec }: Input): number {
  const bySpec = KeySpec === undefined ? undefined : BYTES[KeySpec];
  const size = NumberOfBytes ?? bySpec;
  if (size !== undefined && (NumberOfBytes === undefined || KeySpec === undefined)) return size;
  throw new AwsError("ValidationException", "Please specify either number of bytes or key spec.");
}
