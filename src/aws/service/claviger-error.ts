import { ClavigerError } from "../../errors.ts";
import { AwsError, type AwsErrorType } from "../aws-error.ts";
import { invalidCiphertext } from "../keys/aws-keys.ts";

/**
 * Returns the answer for anything thrown: the only place that maps claviger's errors to AWS's. An error that is
 * nobody's fault but ours tells the client no more than the request id, under which the log has the rest.
 */
export function awsErrorOf(error: unknown, requestId: string): AwsError {
  if (error instanceof AwsError) return error;
  const type = error instanceof ClavigerError ? typeOf(error) : "KMSInternalException";
  if (type === "InvalidCiphertextException") return invalidCiphertext();
  const answer = new AwsError(type, error instanceof ClavigerError ? error.message : "");
  return answer.status === 500 ? new AwsError(type, unavailable(requestId), { cause: error }) : answer;
}

const unavailable = (requestId: string): string =>
  `The request could not be answered; the log of claviger api says why, with request id ${requestId}.`;

function typeOf({ code }: ClavigerError): AwsErrorType {
  switch (code) {
    case "InvalidArgument":
      return "ValidationException";
    case "InvalidCiphertext":
      return "InvalidCiphertextException";
    case "NotFound":
    case "VersionDestroyed":
      return "NotFoundException";
    case "KeyDisabled":
      return "DisabledException";
    case "KeyPendingDeletion":
    case "MaterialExpired":
      return "KMSInvalidStateException";
    case "NotReady":
    case "SealUnavailable":
    case "SealMismatch":
      return "KeyUnavailableException";
    case "Conflict":
      return "ConflictException";
    case "KeyringUnavailable":
    case "ApiServer":
    case "Etcd":
    case "AuditUnavailable":
      return "DependencyTimeoutException";
    case "KeyringCorrupt":
    case "ConfigInvalid":
    case "InUse":
    case "Internal":
      return "KMSInternalException";
  }
}
