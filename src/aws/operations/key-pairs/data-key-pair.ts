import { generateKeyPair, type KeyPair, unfinishedRsaPairs } from "../../../crypto/asymmetric/generate.ts";
import { type AsymmetricSpec, isAsymmetric, keyTypeOf } from "../../../crypto/asymmetric/key-types.ts";
import type { EncryptionContext } from "../../../crypto/context.ts";
import { AwsError } from "../../aws-error.ts";
import type { AwsKeys } from "../../keys/aws-keys.ts";
import { SYMMETRIC } from "../algorithms.ts";
import { checkEncryption, encryptUnder } from "../ciphertext/encrypt-under.ts";
import { symmetricMaterialId } from "../ciphertext/material-id.ts";
import type { DryRunInput, Request } from "../operation.ts";

/** The members that both operations for data key pairs share. */
export interface DataKeyPairInput extends DryRunInput {
  readonly KeyId: string;
  readonly KeyPairSpec: string;
  readonly EncryptionContext?: EncryptionContext;
}

/** The answer without the private key. */
export interface DataKeyPair {
  readonly PrivateKeyCiphertextBlob: Buffer;
  readonly PublicKey: Buffer;
  readonly KeyId: string;
  readonly KeyPairSpec: string;
  readonly KeyMaterialId: string | undefined;
}

/** A new pair, and the answer about it. */
export interface NewPair {
  readonly pair: KeyPair;
  readonly output: DataKeyPair;
}

/** Checks a request for a data key pair. Returns the work: to generate the pair and encrypt its private key. */
export function prepareDataKeyPair(
  { input, caller, now }: Request<DataKeyPairInput>,
  keys: AwsKeys,
): () => Promise<NewPair> {
  const { KeyId, KeyPairSpec, EncryptionContext: context = {} } = input;
  const usable = keys.usableFor(keys.find(KeyId, caller), "ENCRYPT_DECRYPT", now);
  const encryption = { usable, algorithm: SYMMETRIC, context };
  checkEncryption(encryption);
  if (!isAsymmetric(KeyPairSpec))
    throw new AwsError(
      "UnsupportedOperationException",
      `claviger makes no key pairs of spec ${KeyPairSpec}.`,
    );
  return async () => {
    refuseIfTooMany(KeyPairSpec);
    const pair = await generateKeyPair(KeyPairSpec);
    const PrivateKeyCiphertextBlob = await encryptUnder(
      encryption,
      pair.privateKey.exposeSecretBytes(),
      keys,
    );
    const KeyMaterialId = await symmetricMaterialId(usable, keys);
    const { publicKey: PublicKey } = pair;
    return {
      pair,
      output: { PrivateKeyCiphertextBlob, PublicKey, KeyId: usable.arn, KeyPairSpec, KeyMaterialId },
    };
  };
}

/** An RSA_4096 pair takes seconds, and they are generated one after another: this many are all that clients wait for. */
const MOST_RSA_PAIRS = 8;

function refuseIfTooMany(spec: AsymmetricSpec): void {
  if (keyTypeOf(spec).kind !== "rsa" || unfinishedRsaPairs() < MOST_RSA_PAIRS) return;
  throw new AwsError("ThrottlingException", "Rate exceeded: too many RSA key pairs are being generated.");
}
