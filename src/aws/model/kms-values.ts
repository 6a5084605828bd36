/**
 * Part of AWS's service model of KMS (botocore 1.44.8, Apache-2.0), by scripts/generate-aws-model.ts:
 * do not edit. A line is: NAME TYPE [MIN..MAX] [SHAPE or VALUE …] [sensitive] [~ PATTERN].
 */
export const VALUES: string = String.raw`
AWSAccountIdType string
AccountIdType string 12..12 ~ [0-9]{12}
AlgorithmSpec string RSAES_PKCS1_V1_5 RSAES_OAEP_SHA_1 RSAES_OAEP_SHA_256 RSA_AES_KEY_WRAP_SHA_1 RSA_AES_KEY_WRAP_SHA_256 SM2PKE
AliasList list AliasListEntry
AliasNameType string 1..256 ~ ^[a-zA-Z0-9:/_-]+$
ArnType string 20..2048
AttestationDocumentType blob 1..262144
BackingKeyIdResponseType string 0..64 ~ ^[a-f0-9]+$
BackingKeyIdType string 64..64 ~ ^[a-f0-9]+$
BooleanType boolean
CiphertextType blob 1..6144
CloudHsmClusterIdType string 19..24 ~ cluster-[2-7a-zA-Z]{11,16}
CloudTrailEventIdType string
ConnectionErrorCodeType string INVALID_CREDENTIALS CLUSTER_NOT_FOUND NETWORK_ERRORS INTERNAL_ERROR INSUFFICIENT_CLOUDHSM_HSMS USER_LOCKED_OUT USER_NOT_FOUND USER_LOGGED_IN SUBNET_NOT_FOUND INSUFFICIENT_FREE_ADDRESSES_IN_SUBNET XKS_PROXY_ACCESS_DENIED XKS_PROXY_NOT_REACHABLE XKS_VPC_ENDPOINT_SERVICE_NOT_FOUND XKS_PROXY_INVALID_RESPONSE XKS_PROXY_INVALID_CONFIGURATION XKS_VPC_ENDPOINT_SERVICE_INVALID_CONFIGURATION XKS_PROXY_TIMED_OUT XKS_PROXY_INVALID_TLS_CONFIGURATION
ConnectionStateType string CONNECTED CONNECTING FAILED DISCONNECTED DISCONNECTING
CustomKeyStoreIdType string 1..64
CustomKeyStoreNameType string 1..256
CustomKeyStoreType string AWS_CLOUDHSM EXTERNAL_KEY_STORE
CustomKeyStoresList list CustomKeyStoresListEntry
CustomerMasterKeySpec string RSA_2048 RSA_3072 RSA_4096 ECC_NIST_P256 ECC_NIST_P384 ECC_NIST_P521 ECC_SECG_P256K1 SYMMETRIC_DEFAULT HMAC_224 HMAC_256 HMAC_384 HMAC_512 SM2
DataKeyPairSpec string RSA_2048 RSA_3072 RSA_4096 ECC_NIST_P256 ECC_NIST_P384 ECC_NIST_P521 ECC_SECG_P256K1 SM2 ECC_NIST_EDWARDS25519 ML_KEM_512 ML_KEM_768 ML_KEM_1024
DataKeySpec string AES_256 AES_128
DateType timestamp
DescriptionType string 0..8192
DryRunModifierList list DryRunModifierType
DryRunModifierType string IGNORE_CIPHERTEXT
EncapsulationAlgorithmSpec string ML_KEM
EncapsulationAlgorithmSpecList list EncapsulationAlgorithmSpec
EncryptionAlgorithmSpec string SYMMETRIC_DEFAULT RSAES_OAEP_SHA_1 RSAES_OAEP_SHA_256 SM2PKE
EncryptionAlgorithmSpecList list EncryptionAlgorithmSpec
EncryptionContextKey string
EncryptionContextType map EncryptionContextKey EncryptionContextValue
EncryptionContextValue string
ExpirationModelType string KEY_MATERIAL_EXPIRES KEY_MATERIAL_DOES_NOT_EXPIRE
GrantConstraintSourceArnType string 20..512 ~ ^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$
GrantIdType string 1..128
GrantList list GrantListEntry
GrantNameType string 1..256 ~ ^[a-zA-Z0-9:/_-]+$
GrantOperation string Decrypt Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo Sign Verify GetPublicKey CreateGrant RetireGrant DescribeKey GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext GenerateMac VerifyMac DeriveSharedSecret Encapsulate Decapsulate
GrantOperationList list GrantOperation
GrantTokenList list 0..10 GrantTokenType
GrantTokenType string 1..8192
ImportState string IMPORTED PENDING_IMPORT
ImportType string NEW_KEY_MATERIAL EXISTING_KEY_MATERIAL
IncludeKeyMaterial string ALL_KEY_MATERIAL ROTATIONS_ONLY
KeyAgreementAlgorithmSpec string ECDH
KeyAgreementAlgorithmSpecList list KeyAgreementAlgorithmSpec
KeyEncryptionMechanism string RSAES_OAEP_SHA_256
KeyIdType string 1..2048
KeyLastUsageTrackingOperation string Decrypt DeriveSharedSecret Encrypt GenerateDataKey GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext GenerateMac ReEncrypt Sign Verify VerifyMac Encapsulate Decapsulate
KeyList list KeyListEntry
KeyManagerType string AWS CUSTOMER
KeyMaterialDescriptionType string 0..256 ~ ^[a-zA-Z0-9:/_\s.-]+$
KeyMaterialState string NON_CURRENT CURRENT PENDING_ROTATION PENDING_MULTI_REGION_IMPORT_AND_ROTATION
KeySpec string RSA_2048 RSA_3072 RSA_4096 ECC_NIST_P256 ECC_NIST_P384 ECC_NIST_P521 ECC_SECG_P256K1 SYMMETRIC_DEFAULT HMAC_224 HMAC_256 HMAC_384 HMAC_512 SM2 ML_DSA_44 ML_DSA_65 ML_DSA_87 ECC_NIST_EDWARDS25519 ML_KEM_512 ML_KEM_768 ML_KEM_1024
KeyState string Creating Enabled Disabled PendingDeletion PendingImport PendingReplicaDeletion Unavailable Updating
KeyStorePasswordType string 7..32 sensitive
KeyUsageType string SIGN_VERIFY ENCRYPT_DECRYPT GENERATE_VERIFY_MAC KEY_AGREEMENT ENCAPSULATE_DECAPSULATE
KmsRequestIdType string
LimitType integer 1..1000
MacAlgorithmSpec string HMAC_SHA_224 HMAC_SHA_256 HMAC_SHA_384 HMAC_SHA_512
MacAlgorithmSpecList list MacAlgorithmSpec
MarkerType string 1..1024 ~ [\u0020-\u00FF]*
MessageType string RAW DIGEST EXTERNAL_MU
MultiRegionKeyList list MultiRegionKey
MultiRegionKeyType string PRIMARY REPLICA
NullableBooleanType boolean
NumberOfBytesType integer 1..1024
OriginType string AWS_KMS EXTERNAL AWS_CLOUDHSM EXTERNAL_KEY_STORE
PendingWindowInDaysType integer 1..365
PlaintextType blob 1..4096 sensitive
PolicyNameList list PolicyNameType
PolicyNameType string 1..128 ~ [\w]+
PolicyType string 1..131072 ~ [\u0009\u000A\u000D\u0020-\u00FF]+
PrincipalIdType string 1..256 ~ ^[\w+=,.@:/-]+$
PublicKeyType blob 1..8192
RegionType string 1..32 ~ ^([a-z]+-){2,3}\d+$
ResourceOwnerType string SELF OTHER_ACCOUNTS_VIA_RAM
ResourceOwnersList list 1..2 ResourceOwnerType
RotationPeriodInDaysType integer 90..2560
RotationType string AUTOMATIC ON_DEMAND
RotationsList list RotationsListEntry
ServicePrincipalType string 1..128 ~ ^([A-Za-z0-9\-]+)\.([A-Za-z0-9\-]+)(\.[A-Za-z0-9\-]+)+$
SigningAlgorithmSpec string RSASSA_PSS_SHA_256 RSASSA_PSS_SHA_384 RSASSA_PSS_SHA_512 RSASSA_PKCS1_V1_5_SHA_256 RSASSA_PKCS1_V1_5_SHA_384 RSASSA_PKCS1_V1_5_SHA_512 ECDSA_SHA_256 ECDSA_SHA_384 ECDSA_SHA_512 SM2DSA ML_DSA_SHAKE_256 ED25519_SHA_512 ED25519_PH_SHA_512
SigningAlgorithmSpecList list SigningAlgorithmSpec
TagKeyList list TagKeyType
TagKeyType string 1..128
TagList list Tag
TagValueType string 0..256
TrustAnchorCertificateType string 1..5000
WrappingKeySpec string RSA_2048 RSA_3072 RSA_4096 SM2
XksKeyIdType string 1..128 ~ ^[a-zA-Z0-9-_.]+$
XksProxyAuthenticationAccessKeyIdType string 20..30 sensitive ~ ^[A-Z2-7]+$
XksProxyAuthenticationRawSecretAccessKeyType string 43..64 sensitive ~ ^[a-zA-Z0-9\/+=]+$
XksProxyConnectivityType string PUBLIC_ENDPOINT VPC_ENDPOINT_SERVICE
XksProxyUriEndpointType string 10..128 ~ ^https://[a-zA-Z0-9.-]+$
XksProxyUriPathType string 10..128 ~ ^(/[a-zA-Z0-9\/_-]+/kms/xks/v\d{1,2})$|^(/kms/xks/v\d{1,2})$
XksProxyVpcEndpointServiceNameType string 20..64 ~ ^(com|eu)\.amazonaws\.vpce\.([a-z]+-){2,3}\d+\.vpce-svc-[0-9a-z]+$
`;
