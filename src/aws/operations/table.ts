import { decapsulate } from "./asymmetric/decapsulate.ts";
import { deriveSharedSecret } from "./asymmetric/derive-shared-secret.ts";
import { encapsulate } from "./asymmetric/encapsulate.ts";
import { getPublicKey } from "./asymmetric/get-public-key.ts";
import { sign } from "./asymmetric/sign.ts";
import { verify } from "./asymmetric/verify.ts";
import { decrypt } from "./decrypt.ts";
import { getKeyLastUsage } from "./details/get-key-last-usage.ts";
import { getKeyRotationStatus } from "./details/get-key-rotation-status.ts";
import { listKeyRotations } from "./details/list-key-rotations.ts";
import { listResourceTags } from "./details/list-resource-tags.ts";
import { encrypt } from "./encrypt.ts";
import { generateRandom } from "./generate-random.ts";
import { generateDataKeyPair } from "./key-pairs/generate-data-key-pair.ts";
import { generateDataKeyPairWithoutPlaintext } from "./key-pairs/generate-data-key-pair-without-plaintext.ts";
import { generateMac } from "./mac/generate-mac.ts";
import { verifyMac } from "./mac/verify-mac.ts";
import type { Operation } from "./operation.ts";
import { reEncrypt } from "./re-encrypt.ts";

/** The operations that claviger has, by the names of the service model. A name such as "constructor" finds none. */
const SERVED: Readonly<Record<string, Operation<object, object>>> = Object.freeze(
  Object.setPrototypeOf(
    {
      Decapsulate: decapsulate,
      Decrypt: decrypt,
      DeriveSharedSecret: deriveSharedSecret,
      Encapsulate: encapsulate,
      Encrypt: encrypt,
      GenerateDataKeyPair: generateDataKeyPair,
      GenerateDataKeyPairWithoutPlaintext: generateDataKeyPairWithoutPlaintext,
      GenerateMac: generateMac,
      GenerateRandom: generateRandom,
      GetKeyLastUsage: getKeyLastUsage,
      GetKeyRotationStatus: getKeyRotationStatus,
      GetPublicKey: getPublicKey,
      ListKeyRotations: listKeyRotations,
      ListResourceTags: listResourceTags,
      ReEncrypt: reEncrypt,
      Sign: sign,
      Verify: verify,
      VerifyMac: verifyMac,
    },
    null,
  ),
);

/** The operations of the service model that answer UnsupportedOperationException. */
const UNSUPPORTED: ReadonlySet<string> = new Set([
  // Custom key stores and multi-region keys.
  "ConnectCustomKeyStore",
  "CreateCustomKeyStore",
  "DeleteCustomKeyStore",
  "DescribeCustomKeyStores",
  "DisconnectCustomKeyStore",
  "UpdateCustomKeyStore",
  "ReplicateKey",
  "UpdatePrimaryRegion",
  // Key policies.
  "GetKeyPolicy",
  "ListKeyPolicies",
  "PutKeyPolicy",
]);

/** Returns the operation of this name; undefined if claviger does not have it. */
export const operationOf = (name: string): Operation<object, object> | undefined => SERVED[name];

/** Returns true if AWS KMS has an operation of this name that claviger does not support. */
export const isUnsupported = (name: string): boolean => UNSUPPORTED.has(name);
