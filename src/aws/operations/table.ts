import { getKeyPolicy } from "../policies/operations/get-key-policy.ts";
import { listKeyPolicies } from "../policies/operations/list-key-policies.ts";
import { decapsulate } from "./asymmetric/decapsulate.ts";
import { deriveSharedSecret } from "./asymmetric/derive-shared-secret.ts";
import { encapsulate } from "./asymmetric/encapsulate.ts";
import { getPublicKey } from "./asymmetric/get-public-key.ts";
import { sign } from "./asymmetric/sign.ts";
import { verify } from "./asymmetric/verify.ts";
import { decrypt } from "./decrypt.ts";
import { describeKey } from "./describe-key.ts";
import { getKeyLastUsage } from "./details/get-key-last-usage.ts";
import { getKeyRotationStatus } from "./details/get-key-rotation-status.ts";
import { listKeyRotations } from "./details/list-key-rotations.ts";
import { listResourceTags } from "./details/list-resource-tags.ts";
import { encrypt } from "./encrypt.ts";
import { generateDataKey, generateDataKeyWithoutPlaintext } from "./generate-data-key.ts";
import { generateRandom } from "./generate-random.ts";
import { generateDataKeyPair } from "./key-pairs/generate-data-key-pair.ts";
import { generateDataKeyPairWithoutPlaintext } from "./key-pairs/generate-data-key-pair-without-plaintext.ts";
import { listAliases } from "./list-aliases.ts";
import { listKeys } from "./list-keys.ts";
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
      DescribeKey: describeKey,
      Encapsulate: encapsulate,
      Encrypt: encrypt,
      GenerateDataKey: generateDataKey,
      GenerateDataKeyPair: generateDataKeyPair,
      GenerateDataKeyPairWithoutPlaintext: generateDataKeyPairWithoutPlaintext,
      GenerateDataKeyWithoutPlaintext: generateDataKeyWithoutPlaintext,
      GenerateMac: generateMac,
      GenerateRandom: generateRandom,
      GetKeyLastUsage: getKeyLastUsage,
      GetKeyPolicy: getKeyPolicy,
      GetKeyRotationStatus: getKeyRotationStatus,
      GetPublicKey: getPublicKey,
      ListAliases: listAliases,
      ListKeyPolicies: listKeyPolicies,
      ListKeyRotations: listKeyRotations,
      ListKeys: listKeys,
      ListResourceTags: listResourceTags,
      ReEncrypt: reEncrypt,
      Sign: sign,
      Verify: verify,
      VerifyMac: verifyMac,
    },
    null,
  ),
);

/** Returns the operation of this name; undefined if claviger does not have it. */
export const operationOf = (name: string): Operation<object, object> | undefined => SERVED[name];
