import { OPERATIONS } from "./every-operation.ts";

/** The differences from AWS KMS that a client sees, by operation. */
const DIFFERENCES: Readonly<Record<string, string>> = {
  CreateAlias: "`alias/NAME` is an alias of the caller's namespace, `alias/NAMESPACE/NAME` of another",
  CreateKey:
    "`MultiRegion`, `CustomKeyStoreId` and `XksKeyId` are refused with UnsupportedOperationException",
  Decrypt: "`Recipient` is refused with UnsupportedOperationException",
  DeleteImportedKeyMaterial:
    "the material is refused from then on, and stays sealed in the cluster until its key is deleted; KMSInvalidStateException for a key that an API server uses or that nobody can count; an older material's deletion does not make the key PendingImport",
  DeriveSharedSecret: "`Recipient` is refused with UnsupportedOperationException",
  GenerateDataKey: "`Recipient` is refused with UnsupportedOperationException",
  GenerateDataKeyPair:
    "`Recipient` is refused with UnsupportedOperationException; more RSA pairs at once than the processors can make are answered with ThrottlingException",
  GenerateDataKeyPairWithoutPlaintext:
    "more RSA pairs at once than the processors can make are answered with ThrottlingException",
  GenerateRandom: "`Recipient` and `CustomKeyStoreId` are refused with UnsupportedOperationException",
  GetParametersForImport:
    "RSAES_PKCS1_V1_5 and RSA_2048 are refused with UnsupportedOperationException; the answer takes some seconds",
  ImportKeyMaterial:
    "`KeyMaterialId` and `KeyMaterialDescription` are refused; new material rotates the key at once",
  EnableKeyRotation: "without a period the key keeps the period that it has",
  GetKeyLastUsage: "knows the usage of the node that answers",
  ListAliases: "lists the caller's namespace; there are no aliases of AWS services",
  ListKeys: "lists the caller's namespace",
  PutKeyPolicy:
    "principals are not looked up; what no condition key or operator of the documentation covers is refused with MalformedPolicyDocumentException",
  RotateKeyOnDemand:
    "a key of origin EXTERNAL is refused with UnsupportedOperationException: it rotates when new material is imported",
  ScheduleKeyDeletion:
    "a key that an alias or a provider uses is refused with KMSInvalidStateException, while AWS KMS deletes its aliases with it; the answer takes some seconds",
  Sign: "`MessageType` EXTERNAL_MU and ED25519_PH_SHA_512 are refused with UnsupportedOperationException",
  UpdateAlias:
    "an alias returns to a key that it has left only after that key was rotated, otherwise KMSInvalidStateException",
  Verify: "`MessageType` EXTERNAL_MU and ED25519_PH_SHA_512 are refused with UnsupportedOperationException",
};

export interface Tried {
  /** The operations that are served: each was called with the AWS SDK for JavaScript and with boto3. */
  readonly served: readonly string[];
  /** The error names that boto3 got, by operation. */
  readonly refusals: ReadonlyMap<string, readonly string[]>;
  /** The operations that the guides call with the aws CLI. */
  readonly commands: ReadonlySet<string>;
}

/** Returns docs/aws-compatibility.md. */
export function compatibilityPage(tried: Tried): string {
  const { served } = tried;
  const others = OPERATIONS.filter((name) => !served.includes(name));
  return `# AWS KMS, operation by operation

<!-- Written by test/aws/clients.test.ts: do not edit. -->

Of the ${OPERATIONS.length} operations of AWS KMS the [AWS KMS API](aws.md) serves ${served.length}.
[clients.test.ts](../test/aws/clients.test.ts) calls each with the AWS SDK for JavaScript and with boto3, unchanged
and configured by environment variables alone, against the standalone configuration of \`npm start\`, and writes
this page; [main.test.ts](../test/cluster/main.test.ts) makes the same calls in a cluster. The refusals are the errors that boto3 got when it asked for something wrong, each where AWS KMS has the
same name. The aws CLI ran the commands of the [guides](aws.md#guides); it is botocore, as boto3 is. The AWS
Encryption SDKs for JavaScript and Python open each other's messages, by a key's ARN and by an alias's. SOPS and
OpenBao run their guides.

What is the same for all operations, and the bounds, are in [the AWS KMS API](aws.md#what-works).

## Served

| operation | refusals that were seen | aws CLI | differs from AWS KMS |
| --- | --- | --- | --- |
${served.map((name) => row(name, tried)).join("\n")}

## Not served

These answer UnsupportedOperationException:

${others.map((name) => `- ${name}`).join("\n")}
`;
}

const row = (name: string, { refusals, commands }: Tried): string =>
  `| ${[
    name,
    (refusals.get(name) ?? []).map((error) => error.replace(/Exception$/, "")).join(", "),
    commands.has(name) ? "tried" : "",
    DIFFERENCES[name] ?? "",
  ].join(" | ")} |`;
