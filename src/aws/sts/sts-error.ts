import type { AwsError } from "../aws-error.ts";

/** The errors of STS, by the codes of its query protocol, with their HTTP status. */
const STATUS = {
  AccessDenied: 403,
  ExpiredToken: 403,
  ExpiredTokenException: 400,
  IDPCommunicationError: 400,
  IncompleteSignature: 400,
  InternalFailure: 500,
  InvalidAction: 400,
  InvalidClientTokenId: 403,
  InvalidIdentityToken: 400,
  MalformedQueryString: 400,
  MissingAction: 400,
  MissingAuthenticationToken: 403,
  SignatureDoesNotMatch: 403,
  Throttling: 400,
  ValidationError: 400,
} as const;

export type StsErrorCode = keyof typeof STATUS;

/** An error that the client of STS sees. Its message holds nothing of the request. */
export class StsError extends Error {
  override readonly name = "StsError";
  readonly code: StsErrorCode;

  constructor(code: StsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  get status(): 400 | 403 | 500 {
    return STATUS[this.code];
  }
}

/** Returns the error of a signature under the name that STS has for it. */
export function stsErrorOf(error: AwsError): StsError {
  return new StsError(codeOf(error), error.message, { cause: error });
}

function codeOf({ type }: AwsError): StsErrorCode {
  switch (type) {
    case "MissingAuthenticationTokenException":
      return "MissingAuthenticationToken";
    case "IncompleteSignatureException":
      return "IncompleteSignature";
    case "InvalidSignatureException":
      return "SignatureDoesNotMatch";
    case "UnrecognizedClientException":
      return "InvalidClientTokenId";
    case "ExpiredTokenException":
      return "ExpiredToken";
    case "ThrottlingException":
      return "Throttling";
    default:
      return "InternalFailure";
  }
}
