import { type Metadata, status } from "@grpc/grpc-js";
import { ClavigerError, type ErrorCode } from "../errors.ts";

/** The error that grpc-js sends to the caller. */
export interface GrpcError {
  readonly code: status;
  readonly details: string;
  readonly metadata?: Metadata;
}

/**
 * Converts anything thrown into a gRPC error. Defects are not explained to the caller, because their text
 * could contain anything; the log has it.
 */
export function grpcError(error: unknown): GrpcError {
  if (error instanceof ClavigerError) return { code: grpcCode(error.code), details: error.message };
  return { code: status.INTERNAL, details: "internal error; see claviger's log" };
}

function grpcCode(code: ErrorCode): status {
  switch (code) {
    case "InvalidArgument":
    case "InvalidCiphertext":
      return status.INVALID_ARGUMENT;
    case "NotFound":
      return status.NOT_FOUND;
    case "KeyDisabled":
    case "MaterialExpired":
    case "KeyPendingDeletion":
    case "ConfigInvalid":
      return status.FAILED_PRECONDITION;
    case "NotReady":
    case "SealUnavailable":
    case "KeyringUnavailable":
      return status.UNAVAILABLE;
    case "VersionDestroyed":
    case "SealMismatch":
    case "KeyringCorrupt":
      return status.DATA_LOSS;
    case "Conflict":
    case "InUse":
      return status.ABORTED;
    case "ApiServer":
    case "Etcd":
    case "AuditUnavailable":
    case "Internal":
      return status.INTERNAL;
  }
}
