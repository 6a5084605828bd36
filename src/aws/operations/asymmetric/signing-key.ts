import {
  type MessageType,
  type Signing,
  schemeOf,
  unsupportedSigning,
} from "../../../crypto/asymmetric/signing-schemes.ts";
import { AwsError } from "../../aws-error.ts";
import type { AwsKeys } from "../../keys/aws-keys.ts";
import type { Request } from "../operation.ts";
import { type KeyPair, type KeyPairInput, keyPair } from "./key-pair.ts";

/** The members that Sign and Verify share. */
export interface SigningInput extends KeyPairInput {
  readonly Message: Buffer;
  readonly MessageType?: MessageType;
  readonly SigningAlgorithm: string;
}

/** A key pair, with the way in which it signs. */
export interface SigningKey {
  readonly pair: KeyPair;
  readonly signing: Signing;
}

/**
 * Returns the key pair of a request that signs or verifies. Throws UnsupportedOperationException for ways to sign
 * that claviger does not have, and InvalidArgument if the message does not fit the algorithm.
 */
export function signingKey(request: Request<SigningInput>, keys: AwsKeys): SigningKey {
  const { Message, MessageType: messageType = "RAW", SigningAlgorithm: algorithm } = request.input;
  const pair = keyPair(request, "SIGN_VERIFY", algorithm, keys);
  const unsupported = unsupportedSigning(algorithm, messageType);
  if (unsupported !== undefined) throw new AwsError("UnsupportedOperationException", unsupported);
  const signing = { spec: pair.spec, algorithm, messageType };
  schemeOf(signing, Message);
  return { pair, signing };
}
