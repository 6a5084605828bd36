/** Errors after which the SDKs retry by themselves: the service model marks them as faults, HTTP 500. */
const FAULTS = ["DependencyTimeoutException", "KMSInternalException", "KeyUnavailableException"] as const;

/** Errors that AWS KMS answers with HTTP 400. The service model does not name the first ten of them. */
const REFUSALS = [
  "AccessDeniedException",
  "ExpiredTokenException",
  "IncompleteSignatureException",
  "InvalidSignatureException",
  "MissingAuthenticationTokenException",
  "SerializationException",
  "ThrottlingException",
  "UnknownOperationException",
  "UnrecognizedClientException",
  "ValidationException",
  "AlreadyExistsException",
  "ConflictException",
  "DisabledException",
  "DryRunOperationException",
  "ExpiredImportTokenException",
  "IncorrectKeyException",
  "IncorrectKeyMaterialException",
  "InvalidAliasNameException",
  "InvalidArnException",
  "InvalidCiphertextException",
  "InvalidGrantIdException",
  "InvalidGrantTokenException",
  "InvalidImportTokenException",
  "InvalidKeyUsageException",
  "InvalidMarkerException",
  "KMSInvalidMacException",
  "KMSInvalidSignatureException",
  "KMSInvalidStateException",
  "LimitExceededException",
  "MalformedPolicyDocumentException",
  "NotFoundException",
  "TagException",
  "UnsupportedOperationException",
] as const;

/** The name of an error as clients of AWS KMS know it: the `__type` of the answer. */
export type AwsErrorType = (typeof FAULTS)[number] | (typeof REFUSALS)[number];

const isFault = (type: AwsErrorType): boolean => FAULTS.some((fault) => fault === type);

/** An answer of the AWS-compatible API that is an error. The client sees `message`: it holds no payload. */
export class AwsError extends Error {
  override readonly name = "AwsError";
  readonly type: AwsErrorType;
  /** The HTTP status. */
  readonly status: 400 | 500;

  constructor(type: AwsErrorType, message: string, options?: ErrorOptions) {
    super(message, options);
    this.type = type;
    this.status = isFault(type) ? 500 : 400;
  }
}
