/** The members of an operation that records show, and if it changes something. */
export interface RecordedMembers {
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly changes: boolean;
}

/**
 * The members that no record ever shows: secrets, tokens that are rights, whatever is encrypted or signed, and public
 * keys and certificates, which are long and say nothing of who did what.
 */
export const NEVER_RECORDED: ReadonlySet<string> = new Set([
  "AttestationDocument",
  "CiphertextBlob",
  "EncryptedKeyMaterial",
  "GrantToken",
  "GrantTokens",
  "ImportToken",
  "KeyStorePassword",
  "Mac",
  "Message",
  "Plaintext",
  "PublicKey",
  "Recipient",
  "SharedSecretCiphertextBlob",
  "Signature",
  "TrustAnchorCertificate",
  "XksProxyAuthenticationCredential",
]);

/** Operations that change nothing, with the members of their requests. Cryptography changes nothing. */
const READS = `
Decapsulate KeyId EncapsulationAlgorithm DryRun
Decrypt KeyId EncryptionContext EncryptionAlgorithm DryRun DryRunModifiers
DeriveSharedSecret KeyId KeyAgreementAlgorithm DryRun
DescribeCustomKeyStores CustomKeyStoreId CustomKeyStoreName Limit Marker
DescribeKey KeyId
Encapsulate KeyId EncapsulationAlgorithm DryRun
Encrypt KeyId EncryptionContext EncryptionAlgorithm DryRun
GenerateDataKey KeyId EncryptionContext NumberOfBytes KeySpec DryRun
GenerateDataKeyPair KeyId EncryptionContext KeyPairSpec DryRun
GenerateDataKeyPairWithoutPlaintext KeyId EncryptionContext KeyPairSpec DryRun
GenerateDataKeyWithoutPlaintext KeyId EncryptionContext KeySpec NumberOfBytes DryRun
GenerateMac KeyId MacAlgorithm DryRun
GenerateRandom NumberOfBytes CustomKeyStoreId
GetKeyLastUsage KeyId
GetKeyPolicy KeyId PolicyName
GetKeyRotationStatus KeyId
GetParametersForImport KeyId WrappingAlgorithm WrappingKeySpec
GetPublicKey KeyId
ListAliases KeyId Limit Marker
ListGrants KeyId GrantId GranteePrincipal GranteeServicePrincipal Limit Marker
ListKeyPolicies KeyId Limit Marker
ListKeyRotations KeyId IncludeKeyMaterial Limit Marker
ListKeys Limit Marker ResourceOwners
ListResourceTags KeyId Limit Marker
ListRetirableGrants RetiringPrincipal RetiringServicePrincipal Limit Marker
ReEncrypt SourceKeyId SourceEncryptionContext SourceEncryptionAlgorithm DestinationKeyId DestinationEncryptionContext DestinationEncryptionAlgorithm DryRun DryRunModifiers
Sign KeyId MessageType SigningAlgorithm DryRun
Verify KeyId MessageType SigningAlgorithm DryRun
VerifyMac KeyId MacAlgorithm DryRun
`;

/** Operations that change something, with the members of their requests and, after the arrow, of their answers. */
const CHANGES = `
CancelKeyDeletion KeyId -> KeyId
ConnectCustomKeyStore CustomKeyStoreId
CreateAlias AliasName TargetKeyId
CreateCustomKeyStore CustomKeyStoreName CloudHsmClusterId CustomKeyStoreType XksProxyUriEndpoint XksProxyUriPath XksProxyVpcEndpointServiceName XksProxyVpcEndpointServiceOwner XksProxyConnectivity -> CustomKeyStoreId
CreateGrant KeyId GranteePrincipal RetiringPrincipal Operations Constraints Name DryRun GranteeServicePrincipal RetiringServicePrincipal -> GrantId
CreateKey Policy Description KeyUsage CustomerMasterKeySpec KeySpec Origin CustomKeyStoreId BypassPolicyLockoutSafetyCheck Tags MultiRegion XksKeyId -> KeyMetadata
DeleteAlias AliasName
DeleteCustomKeyStore CustomKeyStoreId
DeleteImportedKeyMaterial KeyId KeyMaterialId -> KeyId KeyMaterialId
DisableKey KeyId
DisableKeyRotation KeyId
DisconnectCustomKeyStore CustomKeyStoreId
EnableKey KeyId
EnableKeyRotation KeyId RotationPeriodInDays
ImportKeyMaterial KeyId ValidTo ExpirationModel ImportType KeyMaterialDescription KeyMaterialId -> KeyId KeyMaterialId
PutKeyPolicy KeyId PolicyName Policy BypassPolicyLockoutSafetyCheck
ReplicateKey KeyId ReplicaRegion Policy BypassPolicyLockoutSafetyCheck Description Tags -> ReplicaKeyMetadata ReplicaPolicy ReplicaTags
RetireGrant KeyId GrantId DryRun
RevokeGrant KeyId GrantId DryRun
RotateKeyOnDemand KeyId -> KeyId
ScheduleKeyDeletion KeyId PendingWindowInDays -> KeyId DeletionDate KeyState PendingWindowInDays
TagResource KeyId Tags
UntagResource KeyId TagKeys
UpdateAlias AliasName TargetKeyId
UpdateCustomKeyStore CustomKeyStoreId NewCustomKeyStoreName CloudHsmClusterId XksProxyUriEndpoint XksProxyUriPath XksProxyVpcEndpointServiceName XksProxyVpcEndpointServiceOwner XksProxyConnectivity
UpdateKeyDescription KeyId Description
UpdatePrimaryRegion KeyId PrimaryRegion
`;

const tableOf = (text: string, changes: boolean): [string, RecordedMembers][] =>
  text
    .trim()
    .split("\n")
    .map((line) => {
      const [request = "", answer = ""] = line.split(" -> ");
      const [name = "", ...input] = request.split(" ");
      return [name, { input, output: answer === "" ? [] : answer.split(" "), changes }];
    });

const TABLE: ReadonlyMap<string, RecordedMembers> = new Map([
  ...tableOf(READS, false),
  ...tableOf(CHANGES, true),
]);

/** Returns the members that records of an operation show; undefined if AWS KMS has no such operation. */
export const recordedMembers = (operation: string): RecordedMembers | undefined => TABLE.get(operation);

/** Returns true for an operation that changes something. */
export const isChange = (operation: string): boolean => recordedMembers(operation)?.changes === true;
